/** Runtimes whose doors, files, words or keys are broken on purpose: each with laws that they break. */
import { inlineHost } from "../../../src/hosts/inline.ts";
import { codeOf, FileError } from "../../../src/fs/error.ts";
import type { FileService, StreamEvent } from "../../../src/fs/file.ts";
import { dir, file, tree } from "../../../src/fs/tree.ts";
import { encodeJson } from "../../../src/core/code.ts";
import { startRuntime } from "../../../src/core/engine.ts";
import { DEFAULT_OVERFLOW, type Receipt, type Stream } from "../../../src/core/view.ts";
import type { Runtime, Waited } from "../../../src/core/runtime.ts";
import type { TickResult } from "../../../src/core/agent.ts";
import { services } from "../../../src/services/mod.ts";
import { hexOf } from "../../../src/providers/signer/nostr.ts";
import { nip19 } from "./nsec.ts";
import { type BrokenTicks, commits, requests, type TickSpoil, views } from "./tick_spoil.ts";

const nothing = () => Promise.resolve();

/** Another runtime works on the same rows. */
const twice: TickSpoil = {
  runtime: (runtime, parts) => {
    const other = startRuntime({
      ...parts,
      services,
      host: inlineHost(parts.agents),
      builtins: Object.keys(parts.agents).map((name) => ({ name, about: "" })),
    });
    let turn = 0;
    return {
      files: async (id, principal) =>
        await (turn++ % 2 ? await other : runtime).files(id, principal),
    };
  },
};

function deep<T>(stream: Stream, spoil: (event: T) => T | undefined): Stream {
  const kept = (events: readonly StreamEvent[]) =>
    events.map((event) => spoil(event as T)).filter((event) =>
      event !== undefined
    ) as StreamEvent[];
  return {
    ...stream,
    read: async (options) => kept(await stream.read(options)),
    tail: async (count) => kept(await stream.tail(count)),
    async *watch(options) {
      for await (const event of stream.watch(options)) yield* kept([event]);
    },
  };
}

/** Every so manyth event is not told. */
function skips(every: number): (stream: Stream) => Stream {
  let count = 0;
  return (stream) => deep(stream, (event) => ++count % every === 0 ? undefined : event);
}

/** What a wait answers, changed. */
function waits(spoil: (waited: Waited) => Waited): TickSpoil {
  return {
    runtime: (runtime) => ({
      async wait(id, envelope, signal) {
        const waited = await runtime.wait(id, envelope, signal);
        return waited && spoil(waited);
      },
    }),
  };
}

/** Results of ticks by hand, changed. */
function results(spoil: (result: TickResult) => TickResult): TickSpoil {
  return views((view) => ({
    async control(word, signal) {
      const result = await view.control(word, signal);
      return result && spoil(result);
    },
  }));
}

/** Files that serve for a minute. */
function growsOld(runtime: Runtime, now: () => number): Partial<Runtime> {
  return {
    async files(id, principal) {
      const files = await runtime.files(id, principal);
      const until = now() + 60_000;
      const young = () => {
        if (now() < until) return;
        throw new FileError("not_ready", "use", `/agents/${id}`, { detail: "it has left memory" });
      };
      return {
        ...files,
        async open(path, mode, options) {
          young();
          return await files.open(path, mode, options);
        },
      } satisfies FileService;
    },
  };
}

/** Nobody is at home while somebody looks. */
function looksAway(runtime: Runtime): Partial<Runtime> {
  let looks = 0;
  return {
    async list(page) {
      looks++;
      try {
        return await runtime.list(page);
      } finally {
        looks--;
      }
    },
    async files(id, principal) {
      if (looks > 0) throw new FileError("not_found", "open", `/agents/${id}`);
      return await runtime.files(id, principal);
    },
  };
}

const host: TickSpoil["services"] = {
  "/etc": {
    service: () => tree(dir({ passwd: file({ read: () => "root" }) })),
    access: "read_only",
  },
};

export const brokenDoors: readonly BrokenTicks[] = [
  ["shares its rows with another runtime", "T1", () => twice],
  ["enqueues a tick by hand behind all others", "T6", () =>
    views((view) => ({
      async control(word, signal) {
        if (word !== "tick") return await view.control(word, signal);
        await view.deliver({ payload: { kind: "text", text: "manual" } });
        return { success: true } as TickResult;
      },
    }))],
  ["lets an agent think that it ticked itself", "T7", () =>
    views((view) => ({
      control: (word, signal) =>
        view.viewer === "agent" && word === "tick"
          ? Promise.resolve(undefined)
          : view.control(word, signal),
    }))],
  ["takes any payload of a known id", "T16", () =>
    views((view) => ({
      deliver: (input) =>
        view.deliver(input).catch((error): Receipt => {
          if (codeOf(error) !== "conflict") throw error;
          return { envelope_id: input.id!, disposition: "queued", queue_depth: 1, duplicate: true };
        }),
    }))],
  [
    "repairs ids of agents",
    "T17",
    () =>
      requests((request) => ({
        ...request,
        ...(request.id ? { id: request.id.toLowerCase() as never } : {}),
      })),
  ],
  ["keeps the policy that it has", "T22 T36", () => views(() => ({ setOverflow: nothing }))],
  ["calls everything queued", "T23", () =>
    views((view) => ({
      deliver: async (input) => ({ ...await view.deliver(input), disposition: "queued" }),
    }))],
  ["knows no end of an envelope", "T20", () =>
    views((view) => ({
      deliver: ({ metadata: _, ...input }) => view.deliver(input),
    }))],
  [
    "tries again at once",
    "T25 T27",
    () =>
      requests((request) => ({ ...request, limits: { ...request.limits, retry_ms: [0, 0, 0] } })),
  ],
  [
    "does not replay",
    "T29",
    () => views((view) => ({ deadLetters: { ...view.deadLetters, replay: nothing } })),
  ],
  ["never despairs of an agent", "T31", () =>
    requests((request) => ({
      ...request,
      limits: { ...request.limits, max_consecutive_failures: 1_000_000 },
    }))],
  [
    "lets a tick take a day",
    "T27",
    () =>
      requests((request) => ({
        ...request,
        limits: { ...request.limits, max_tick_ms: 86_400_000 },
      })),
  ],
  ["loses what an agent writes to itself", "T38", () =>
    views((view) => ({
      deliver: (input) =>
        view.viewer === "agent"
          ? Promise.resolve({
            envelope_id: "msg:x" as never,
            disposition: "queued",
            queue_depth: 1,
            duplicate: false,
          })
          : view.deliver(input),
    }))],
  [
    "tells replies backwards",
    "T49",
    () => waits((waited) => ({ ...waited, replies: [...waited.replies].reverse() })),
  ],
  ["does not count messages", "T51", () => results((result) => ({ ...result, messages_sent: 0 }))],
  ["lets edits pass a tick that lost", "T53", () =>
    views((view, { backend }) => {
      if (view.viewer === "agent") return {};
      let count = 0;
      const now = async () => {
        const put = [{ key: "kv/n", value: encodeJson(++count) }];
        await backend.storage(view.id).commit({ check: [], remove: [], put });
        return undefined as never;
      };
      return { rows: { ...view.rows, change: now } };
    })],
  ["keeps the mounts that it has", "T54", () => views(() => ({ setMounts: nothing }))],
  ["takes one agent for another", "T55", () => ({
    runtime: (runtime) => ({
      create: (request) =>
        runtime.create(request).catch(async (error) => {
          if (codeOf(error) !== "already_exists") throw error;
          return { info: await runtime.info(request.id!), created: false };
        }),
    }),
  })],
  ["does not pause", "T57", () =>
    views((view) => ({
      control: (word, signal) =>
        word === "pause" ? Promise.resolve(undefined) : view.control(word, signal),
    }))],
  ["has files that grow old", "T64", () => ({
    runtime: (runtime, { backend }) => growsOld(runtime, () => backend.now()),
  })],
  ["is not at home while somebody looks", "T65", () => ({ runtime: looksAway })],
  ["does not wait when it stops", "T59", () => ({
    runtime: (runtime) => ({
      stop(graceMs) {
        runtime.stop(graceMs);
        return Promise.resolve();
      },
    }),
  })],
  ["tells no calls in its trace", "T66", () =>
    views((view) => ({
      trace: deep<{ type: string }>(
        view.trace,
        (event) => event.type === "file_call" ? undefined : event,
      ),
    }))],
  ["tells no failures in its trajectory", "T68", () =>
    views((view) => ({
      trajectory: deep<{ outcome?: string }>(
        view.trajectory,
        (event) => event.outcome === "rolled_back" ? undefined : event,
      ),
    }))],
  ["skips events", "T71", () => {
    const skip = skips(3);
    return views((view) => ({ outbox: skip(view.outbox) }));
  }],
  ["counts one too many", "T67", () =>
    views((view) => ({
      async status() {
        const status = await view.status();
        return { ...status, queue_depth: status.queue_depth + 1 };
      },
    }))],
  ["mounts what was not asked for", "T72", () => requests(({ mounts: _, ...request }) => request)],
  ["mounts the host", "T73", () => ({ services: host })],
  ["drops the policy at a restart", "T22", () =>
    views((view) => {
      let set = false;
      return {
        setOverflow: (policy) => {
          set = true;
          return view.setOverflow(policy);
        },
        overflow: async () => set ? await view.overflow() : { ...DEFAULT_OVERFLOW, max_depth: 3 },
      };
    })],
  ["says its key in an error", "T74", () => ({
    signer: (_, secrets) => ({
      decrypt: () =>
        Promise.reject(
          new FileError("invalid_request", "decrypt", "x", {
            detail: `with ${hexOf(secrets[0]!)} it is nothing`,
          }),
        ),
    }),
  })],
  ["keeps its key as the cause of an error", "T74", () => ({
    signer: (_, secrets) => ({
      encrypt: () =>
        Promise.reject(
          new FileError("invalid_request", "encrypt", "x", { cause: { key: secrets[0] } }),
        ),
    }),
  })],
  ["signs with its key", "T74", () => ({
    signer: (_, secrets) => ({ signHash: () => Promise.resolve(secrets[0]!.toBase64()) }),
  })],
  ["takes its secret for its name", "T74", () => ({
    signer: (signer, secrets) => ({
      npub: (pubkey) => secrets[0] ? nip19(secrets[0]) : signer.npub(pubkey),
    }),
  })],
  ["keeps its key in a row", "T74", () => {
    let keys: readonly Uint8Array[] = [];
    return {
      signer(_, secrets) {
        keys = secrets;
        return {};
      },
      backend: commits((batch) => {
        const value = keys.at(-1);
        return value && batch.put.some(({ key }) => key === "agent")
          ? { ...batch, put: [...batch.put, { key: "blob/key/000000000000", value }] }
          : batch;
      }),
    };
  }],
];
