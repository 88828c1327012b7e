/** `agentd images`: what containers can be made from; `pull` fetches more. Both are done by the server, on its machine. */
import { fullImage, type ImageInfo } from "../core/containers.ts";
import type { ProviderImages } from "../http/images.ts";
import { type Action, answer, type Call, restArg, withProgress } from "./call.ts";
import { EXIT, trouble } from "./exit.ts";
import { ago, clip, count, safeLine, size, table } from "./print.ts";
import { wordIn } from "./word.ts";

/** A line of progress where the terminal does not say how wide it is. */
const PROGRESS_COLUMNS = 100;

export const images: Action = async (call) => await wordIn(call, "images", { list, pull })(call);

async function list(call: Call): Promise<void> {
  const providers = await seen(call);
  answer(call, providers, () => providers.flatMap((one) => listed(call, one)));
}

async function seen(call: Call): Promise<readonly ProviderImages[]> {
  const providers = await withProgress(call, "listing images", call.server().images.list());
  if (providers.length > 0) return providers;
  throw trouble(
    EXIT.failed,
    "This server has no containers",
    `${call.program} doctor says what is missing.`,
  );
}

function isIt(name: string): (image: ImageInfo) => boolean {
  return (image) => image.name === fullImage(name);
}

function missing({ default_images, images }: ProviderImages): string[] {
  return default_images.filter((name) => !images.some(isIt(name)));
}

function listed(call: Call, one: ProviderImages): string[] {
  const { paint } = call.terminal;
  const { provider_id, status, error, engine, images, default_images } = one;
  const title = paint("bold", provider_id) + paint("dim", engine ? `  ${safeLine(engine)}` : "");
  if (status !== "up") {
    return [title, `${paint("yellow", status)}: ${safeLine(error ?? "not looked at yet")}`];
  }
  const now = Date.now();
  const byDefault = (image: ImageInfo) => default_images.some((name) => isIt(name)(image));
  const rows = [...images].sort((a, b) => Number(byDefault(b)) - Number(byDefault(a))).map((
    image,
  ) => [
    paint("bold", safeLine(image.name)),
    size(image.size_bytes),
    ago(image.created_at, now),
    byDefault(image) ? "by default" : "if a policy names it",
  ]);
  const columns = [
    { title: "IMAGE" },
    { title: "SIZE", right: true },
    { title: "MADE" },
    { title: "AGENTS MAY USE IT" },
  ];
  const absent = missing(one);
  return [
    title,
    ...(rows.length === 0 ? ["No images are here."] : table(columns, rows, paint)),
    ...(absent.length === 0
      ? []
      : [paint("dim", `not here: ${absent.join(", ")}   ${call.program} images pull`)]),
  ];
}

async function pull(call: Call): Promise<void> {
  const named = restArg(call, "names");
  const names = named.length > 0 ? named : await defaults(call);
  const made: ImageInfo[] = [];
  for (const name of names) made.push(await fetched(call, name));
  answer(
    call,
    made,
    () =>
      made.length === 0
        ? ["All default images are here."]
        : made.map(({ name, size_bytes }) =>
          `${call.terminal.paint("bold", safeLine(name))}   ${size(size_bytes)}`
        ),
  );
}

/** The default images that are not here yet, of the first provider. */
async function defaults(call: Call): Promise<readonly string[]> {
  const [first] = await seen(call);
  const names = missing(first!);
  if (names.length > 0 && !call.quiet && !call.json) {
    call.terminal.note(
      call.terminal.paintNote("dim", `${count(names.length, "image")}: ${names.join(", ")}`),
    );
  }
  return names;
}

async function fetched(call: Call, name: string): Promise<ImageInfo> {
  let said = "";
  const columns = call.terminal.columns ?? PROGRESS_COLUMNS;
  const done = call.terminal.progress(() => clip(`${name}  ${safeLine(said)}`, columns - 1));
  try {
    return await call.server().images.pull(name, {
      tell: (line) => (said = line),
      signal: call.signal,
    });
  } finally {
    done();
  }
}
