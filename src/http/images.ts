/** /images: what containers can be made from, and how more of it is fetched. Images are the operator's affair: no agent's word brings one onto the machine. */
import { z } from "zod";
import type { ContainerProvider, ContainerProviders, ImageInfo } from "../core/containers.ts";
import { encodeText } from "../core/code.ts";
import { FileError, hasCode } from "../fs/error.ts";
import { problemOf } from "./codes.ts";
import { readJson } from "./form.ts";
import { jsonAnswer, jsonBody, type Route } from "./route.ts";
import { named } from "./schemas.ts";
import { json, type Visit } from "./visit.ts";

const TAG = "Containers";
const DEED = "see or pull images";
const LINES = "application/x-ndjson";

const image = z.object({
  name: z.string(),
  id: z.string().meta({ description: "The engine's digest of it." }),
  size_bytes: z.int().nonnegative(),
  created_at: z.iso.datetime().nullable(),
});
const provider = z.object({
  provider_id: z.string(),
  status: z.enum(["up", "down", "unknown"]),
  error: z.string().optional().meta({ description: "Why it is down, and what to do." }),
  engine: z.string().optional().meta({ description: "What it calls itself." }),
  default_images: z.array(z.string()).meta({
    description: "Those that agents may use whose policy names none.",
  }),
  images: z.array(image),
});
/** What a provider has. */
export type ProviderImages = z.infer<typeof provider>;

const IMAGES = named("Images", z.object({ providers: z.array(provider) }));
const PULL = named(
  "ImagePull",
  z.strictObject({
    image: z.string().min(1).max(256).meta({ description: "`python:3.13-slim`" }),
    provider: z.string().min(1).max(64).optional().meta({
      description: "The first that there is, if absent.",
    }),
  }),
);
const PULL_LINE = named(
  "ImagePullLine",
  z.union([
    z.object({ line: z.string() }).meta({ description: "What the engine says." }),
    z.object({ image }).meta({ description: "The last line: it is there." }),
    z.object({ error: z.looseObject({}) }).meta({
      description: "The last line: why it is not, as a problem.",
    }),
  ]),
);
export type PullLine =
  | { readonly line: string }
  | { readonly image: ImageInfo }
  | { readonly error: object };

/** @param containers undefined where the server has none */
export function imageRoutes(containers: ContainerProviders | undefined): Route[] {
  return [
    {
      at: "/images",
      also: "/images/",
      tag: TAG,
      methods: {
        GET: {
          id: "listImages",
          about: "Lists the images that containers can be made from, by provider",
          needs: DEED,
          answers: { 200: jsonAnswer("All of them, as they are now.", IMAGES) },
          async serve() {
            await containers?.refresh();
            return json({ providers: (containers?.list() ?? []).map(shown) });
          },
        },
      },
    },
    {
      at: "/images/pull",
      tag: TAG,
      methods: {
        POST: {
          id: "pullImage",
          about: "Fetches an image",
          more: "Tells each line of the engine as it comes, and ends with the image or the " +
            "reason why there is none. Whoever leaves ends it.",
          needs: DEED,
          body: jsonBody("Which one.", PULL),
          answers: { 200: { about: "How it goes.", body: { [LINES]: PULL_LINE } } },
          refusals: ["not_found", "provider_unavailable", "not_supported", "quota_exceeded"],
          serve: (visit) => pull(containers, visit),
        },
      },
    },
  ];
}

function shown(one: ContainerProvider): ProviderImages {
  const { default_images, engine } = one.info();
  const { status, error } = one.health();
  return {
    provider_id: one.id,
    status,
    ...(error === undefined ? {} : { error }),
    ...(engine === undefined ? {} : { engine }),
    default_images: [...default_images],
    images: [...one.images()],
  };
}

async function pull(
  containers: ContainerProviders | undefined,
  { request, target: { path }, stopping }: Visit,
): Promise<Response> {
  const { image, provider } = await readJson(request, path, PULL.schema);
  const from = providerFor(containers, provider, path);
  const leaving = new AbortController();
  const signal = AbortSignal.any([leaving.signal, stopping]);
  const lines = pulled(from, image, signal);
  // What is refused before its first line is told as a refusal.
  let first: IteratorResult<PullLine> | undefined = await lines.next();
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = first ?? await lines.next().catch((error) => ({
        done: false,
        value: { error: problemOf(error) },
      }));
      first = undefined;
      if (done) return controller.close();
      controller.enqueue(encodeText(JSON.stringify(value) + "\n"));
      if (!("line" in value)) controller.close();
    },
    cancel() {
      leaving.abort();
    },
  }, { highWaterMark: 0 });
  return new Response(stream, {
    headers: { "content-type": LINES, "cache-control": "no-store" },
  });
}

function providerFor(
  containers: ContainerProviders | undefined,
  id: string | undefined,
  path: string,
): ContainerProvider {
  const all = containers?.list() ?? [];
  const found = id === undefined ? all[0] : containers?.get(id);
  if (found) return found;
  if (all.length === 0) {
    const detail = "this server has no provider of containers; agentd doctor says why";
    throw new FileError("not_supported", "pull image", path, { detail });
  }
  const detail = `no provider is called ${JSON.stringify(id)}; there is ${
    all.map((one) => one.id).join(", ")
  }`;
  throw new FileError("not_found", "pull image", path, { detail });
}

/** Each line as it comes; then the image. @throws what the provider refuses it with */
async function* pulled(
  from: ContainerProvider,
  image: string,
  signal: AbortSignal,
): AsyncGenerator<PullLine, undefined> {
  const lines: string[] = [];
  let wake = () => {};
  let isOver = false;
  const work = from.pull(image, (line) => {
    lines.push(line);
    wake();
  }, signal).finally(() => {
    isOver = true;
    wake();
  });
  work.catch(() => {});
  while (!isOver || lines.length > 0) {
    if (lines.length > 0) yield { line: lines.shift()! };
    else await new Promise<void>((resolve) => (wake = resolve));
  }
  await work.catch((error) => {
    throw hasCode(error, "io") ? unreached(image, error) : error;
  });
  const names = [image, `${image}:latest`];
  const there = from.images().find(({ name }) => names.includes(name));
  if (!there) {
    const detail = "the engine says that it was fetched, and does not list it under this name";
    throw new FileError("not_found", "pull image", image, { detail });
  }
  yield { image: there };
}

/** What is amiss on the way to a registry is no secret of the server's disk. */
function unreached(image: string, { detail }: FileError): FileError {
  return new FileError("provider_unavailable", "pull image", image, {
    detail: `${detail ?? "the registry cannot be reached"}; look at the network of the server`,
  });
}
