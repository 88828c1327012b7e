/** Where agents' code can run: the Docker engine, whether it can hold a container within limits, and the images that agents may use by default. */
import { fullImage, type ImageInfo } from "../../core/containers.ts";
import { hasCode } from "../../fs/error.ts";
import { type DockerCli, dockerCli } from "../../providers/containers/cli.ts";
import { engineFailure } from "../../providers/containers/failure.ts";
import { listImages } from "../../providers/containers/images.ts";
import { containerSettings } from "../../providers/containers/mod.ts";
import type { Call } from "../call.ts";
import { count } from "../print.ts";
import type { Found } from "../settings.ts";
import { failed, type Finding, type Group, look } from "./finding.ts";

const ANSWER_MS = 10_000;

/** What is read of what the engine says of itself. */
interface Info {
  readonly ServerVersion?: string;
  /** Why it does not answer: older clients end well all the same. */
  readonly ServerErrors?: readonly string[] | null;
  readonly OperatingSystem?: string;
  readonly CgroupVersion?: string;
  readonly MemoryLimit?: boolean;
  readonly SwapLimit?: boolean;
  readonly CpuCfsQuota?: boolean;
  readonly PidsLimit?: boolean;
  readonly Runtimes?: Readonly<Record<string, unknown>>;
}

/** Without these a program inside takes from everybody else. */
const LIMITS: readonly (readonly [keyof Info, string])[] = [
  ["MemoryLimit", "memory"],
  ["SwapLimit", "swap"],
  ["CpuCfsQuota", "processors"],
  ["PidsLimit", "processes"],
];

/** @param found undefined where the settings cannot be read, which is told elsewhere */
export async function lookAtContainers(call: Call, found: Found | undefined): Promise<Group> {
  const title = "Containers";
  const settings = containerSettings.safeParse(found?.settings.containers ?? {});
  if (!settings.success) {
    const [{ path, message } = { path: [], message: "not what is expected" }] =
      settings.error.issues;
    const found = `${["containers", ...path].join(".")}: ${message}`;
    const todo = "Mend it in the settings file: no server starts with it.";
    return { title, findings: [{ name: "Docker", state: "broken", found, todo }] };
  }
  const { docker, images } = settings.data;
  if (!docker.enabled) {
    const where = found?.from.containers ?? "the settings";
    const off: Finding = { name: "Docker", state: "absent", found: "switched off", from: where };
    return { title, findings: [off] };
  }
  const cli = dockerCli();
  const engine = await info(cli);
  if ("state" in engine) return { title, findings: [engine] };
  return {
    title,
    findings: [
      { name: "Docker", state: "ok", found: versionOf(engine) },
      limitsOf(engine),
      ...docker.runtime === undefined ? [] : [runtimeOf(engine, docker.runtime)],
      await look("images", async () => imagesOf(call, images, await listImages(cli))),
    ],
  };
}

async function info(cli: DockerCli): Promise<Info | Finding> {
  const name = "Docker";
  try {
    const said = await cli.ask(["info", "--format", "{{json .}}"], "docker", {
      withinMs: ANSWER_MS,
    });
    const info = JSON.parse(said) as Info;
    const [why] = info.ServerErrors ?? [];
    if (why !== undefined) throw engineFailure("ask", "docker", { code: 1, stderr: why });
    return info;
  } catch (error) {
    const { cause, detail } = error as { cause?: unknown; detail?: string };
    if (cause instanceof Deno.errors.NotCapable) return failed(name, cause);
    if (!hasCode(error, "provider_unavailable")) return failed(name, error);
    const [why, ...what] = (detail ?? "it does not answer").split("; ");
    const todo = what.length === 0
      ? "Only agents that run programs need it."
      : `Only agents that run programs need it: ${what.join("; ")}.`;
    return { name, state: "absent", found: why!, todo };
  }
}

function versionOf({ ServerVersion = "?", OperatingSystem = "?", CgroupVersion = "?" }: Info) {
  return `${ServerVersion} · cgroup v${CgroupVersion} · ${OperatingSystem}`;
}

function limitsOf(engine: Info): Finding {
  const name = "limits";
  const lacking = LIMITS.filter(([field]) => engine[field] !== true).map(([, word]) => word);
  const held = LIMITS.map(([, word]) => word).filter((word) => !lacking.includes(word));
  if (lacking.length === 0) return { name, state: "ok", found: held.join(", ") };
  return {
    name,
    state: "broken",
    found: `the engine cannot limit ${lacking.join(", ")}`,
    todo: "Turn these control groups on in the kernel; docker info says more at its end.",
  };
}

function runtimeOf({ Runtimes = {} }: Info, wanted: string): Finding {
  const name = "runtime";
  if (Object.hasOwn(Runtimes, wanted)) return { name, state: "ok", found: wanted };
  const there = Object.keys(Runtimes).join(", ");
  const todo = `Install it, or name another one in containers.docker.runtime: ${there}`;
  return { name, state: "broken", found: `the engine has no ${wanted}`, todo };
}

function imagesOf(call: Call, wanted: readonly string[], images: readonly ImageInfo[]): Finding {
  const name = "images";
  const there = wanted.filter((one) => images.some(({ name }) => name === fullImage(one)));
  const pull = `${call.program.replace("agentctl", "agentd")} images pull`;
  if (there.length === wanted.length) return { name, state: "ok", found: there.join(", ") };
  const missing = wanted.filter((one) => !there.includes(one));
  if (there.length === 0) {
    const found = `${count(images.length, "image")}, none that agents may use by default`;
    return { name, state: "absent", found, todo: `${pull} fetches ${missing.join(", ")}.` };
  }
  const todo = `Not here: ${missing.join(", ")}. ${pull} fetches them.`;
  return { name, state: "ok", found: there.join(", "), todo };
}
