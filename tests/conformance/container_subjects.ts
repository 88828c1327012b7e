/** The worlds of this machine in which the laws of `/containers` are tried: an engine in memory, the same seen by a client over a socket, and Docker. */
import {
  type Act,
  acted,
  acting,
  type Acts,
  BUDGETS,
  type ContainerSubject,
  lineTo,
  listening,
  PRICE,
  running,
  scripted,
} from "../../conformance/containers.ts";
import type { Subject } from "../../conformance/law.ts";
import { memoryContainers } from "../../conformance/memory.ts";
import { createAgentd } from "../../src/agentd.ts";
import { type MemoryBackend, memoryBackend } from "../../src/backends/memory.ts";
import type { ContainerProvider, ContainerProviders } from "../../src/core/containers.ts";
import { digest } from "../../src/core/code.ts";
import { agentId } from "../../src/core/id.ts";
import type { Runtime } from "../../src/core/runtime.ts";
import type { FileService } from "../../src/fs/file.ts";
import { createApp } from "../../src/http/app.ts";
import { connect } from "../../src/http/client.ts";
import { containerProviders } from "../../src/providers/containers/mod.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import { busyboxImage, dockerSays } from "../docker/engine.ts";
import { serve, TOKEN } from "../http/served.ts";
import { realTime } from "./http_subjects.ts";

/** One life of a runtime, and its agents' files. */
interface Life {
  files(id: string): Promise<FileService>;
  end(): Promise<void>;
}

/** What outlives a runtime. */
interface World {
  readonly backend: MemoryBackend;
  readonly providers: ContainerProviders;
  readonly report: (error: unknown) => void;
}

const IDS = ["a", "b"];

function begin({ backend, providers, report }: World): Promise<Runtime> {
  return createAgentd({
    backend,
    signer: memorySigner(),
    agents: { listening },
    containers: providers,
    onError: report,
  });
}

async function inProcess(world: World): Promise<Life> {
  const runtime = await begin(world);
  return {
    files: (id) => runtime.files(agentId(id), { viewer: "operator", name: "operator" }),
    end: () => runtime.stop(1000),
  };
}

async function overHttp(world: World): Promise<Life> {
  const runtime = await begin(world);
  const stopping = new AbortController();
  const server = serve(createApp({
    runtime,
    auth: { tokenDigest: digest(TOKEN) },
    clock: realTime,
    stopping: stopping.signal,
    report: world.report,
  }));
  const client = connect({ url: server.url, token: TOKEN });
  return {
    files: (id) => Promise.resolve(client.files(agentId(id))),
    async end() {
      stopping.abort();
      await runtime.stop(1000);
      await server.close();
    },
  };
}

/** An engine, as its lives reach it one after the other. */
interface Engine {
  readonly asked: ContainerProvider;
  readonly command: ContainerSubject["command"];
  /** For the next life; who has had it before hears nothing any more. */
  next(): ContainerProviders;
  close(): Promise<void>;
}

function subjectOf(
  name: string,
  open: () => Promise<Engine>,
  live: (world: World) => Promise<Life>,
): Subject<ContainerSubject> {
  return {
    name,
    async open() {
      const errors: unknown[] = [];
      const report = (error: unknown) => void errors.push(error);
      const engine = await open();
      let backend = memoryBackend(realTime);
      const setUp = await begin({ backend, providers: running(engine.asked), report });
      for (const id of IDS) {
        await setUp.create({ id: agentId(id), agent: "listening", budgets: BUDGETS });
      }
      await setUp.stop(1000);
      let life: Life;
      let [files, other]: (FileService | undefined)[] = [];
      async function next() {
        backend = backend.reopen(realTime);
        life = await live({ backend, providers: engine.next(), report });
        [files, other] = [await life.files("a"), await life.files("b")];
      }
      await next();
      return {
        subject: {
          get files() {
            return files!;
          },
          get other() {
            return other!;
          },
          command: engine.command,
          state: (session) => engine.asked.state(session),
          elapse: () => Promise.resolve(),
          async restart() {
            await life.end();
            await next();
          },
        },
        async close() {
          await life.end();
          await engine.close();
          if (errors.length > 0) throw errors[0];
        },
      };
    },
  };
}

function memoryEngine(): Promise<Engine> {
  const asked = scripted(acting, { price: PRICE });
  let line = lineTo(asked);
  return Promise.resolve({
    asked,
    command: acted,
    next() {
      line.cut();
      return running(line = lineTo(asked));
    },
    close: () => Promise.resolve(),
  });
}

/** The engine of this machine, under a home of its own, on which nothing is left at the end. */
async function dockerEngine(): Promise<Engine> {
  const home = `test-${crypto.randomUUID()}`;
  const providers = containerProviders({
    home,
    images: [await busyboxImage()],
    docker: {
      price_micro_usd_per_session: PRICE.micro_usd_per_session,
      price_micro_usd_per_second: PRICE.micro_usd_per_second,
    },
  });
  await providers.refresh();
  return {
    asked: providers.list()[0]!,
    command: inShell,
    next: () => providers,
    async close() {
      await providers.close();
      const left = await dockerSays(["ps", "-aq", "--filter", `label=agentd.home=${home}`]);
      if (left !== "") throw new Error(`containers are left: ${left}`);
    },
  };
}

function inShell(acts: Acts): string {
  return acts.map(lineOf).join("\n") || ":";
}

function lineOf(act: Act): string {
  if ("say" in act) return `printf %s ${quoted(act.say)}${act.to === "stderr" ? " >&2" : ""}`;
  if ("bytes" in act) return `printf '${act.bytes.map(octal).join("")}'`;
  if ("input" in act) return "cat";
  if ("env" in act) return `printf %s "$${act.env}"`;
  if ("tell" in act) return `cat ./${quoted(act.tell)}`;
  if ("link" in act) return `ln -s ${quoted(act.to)} ${quoted(act.link)}`;
  if ("until" in act) return `while [ ! -e ${quoted(act.until)} ]; do sleep 0.05; done`;
  if ("exit" in act) return `exit ${act.exit}`;
  const path = quoted(act.keep);
  return `mkdir -p "$(dirname ${path})"; printf %s ${quoted(act.text)} > ${path}`;
}

function octal(byte: number): string {
  return `\\${byte.toString(8).padStart(3, "0")}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

export const dockerContainers: Subject<ContainerSubject> = subjectOf(
  "Docker",
  dockerEngine,
  inProcess,
);

/** Docker apart, which not every machine has. */
export const containerSubjects: readonly Subject<ContainerSubject>[] = [
  memoryContainers(),
  subjectOf("http client", memoryEngine, overHttp),
];
