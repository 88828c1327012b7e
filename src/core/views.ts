/** Makes the views and namespaces of an agent: its own, the operator's, a local caller's. */
import { FileError } from "../fs/error.ts";
import type { FileService } from "../fs/file.ts";
import { type Mount, namespace } from "../fs/namespace.ts";
import type { AgentRecord } from "./record.ts";
import type { Live } from "./live.ts";
import type { Json, Source } from "./envelope.ts";
import type { SigningService } from "./provider.ts";
import type { TickResult } from "./agent.ts";
import type { Principal } from "./runtime.ts";
import type {
  AgentStatus,
  AgentView,
  ControlWord,
  Deployed,
  Receipt,
  ServiceTable,
  Viewer,
} from "./view.ts";
import { agentRows, otherRows } from "./rows.ts";
import { allows, grants } from "./access.ts";
import { approving } from "./approve.ts";
import { setBudget, setMounts, setSetting } from "./configure.ts";

import { outsideOf } from "./spend.ts";
import { readLarge } from "./blob.ts";
import { deadView } from "./dead_view.ts";
import { encodeJson } from "./code.ts";
import type { EnvelopeId } from "./id.ts";
import { key } from "./keys.ts";
import { directoriesOf, mountRows } from "./mounts.ts";
import { seal } from "./seal.ts";
import { tracedFiles } from "./traced.ts";
import { lapsed, type Term } from "./tokens.ts";

export interface ViewDeps {
  readonly services: ServiceTable;
  readonly signer: SigningService;
  /** Performs a control word for a caller that is not the agent. */
  readonly control: (
    live: Live,
    word: ControlWord,
    invoker: string,
    signal?: AbortSignal,
  ) => Promise<TickResult | undefined>;
  /** Takes the agent's turn and gives it new code. */
  readonly deploy: (live: Live, code: string, by: string, digest?: string) => Promise<Deployed>;
  readonly status: (live: Live) => Promise<AgentStatus>;
}

/** The agent's own files: only what its mount table names, and writes that join the running tick. */
export function agentFiles(live: Live, deps: ViewDeps): FileService {
  const view = makeView(live, deps, "agent", { kind: "agent", agent_id: live.id });
  const makers = lazyServices(deps.services, view);
  let cached: { readonly record: AgentRecord; readonly mounts: readonly Mount[] } | undefined;
  const mounts = () => {
    if (cached?.record !== live.record) {
      cached = { record: live.record, mounts: table(live.record) };
    }
    return cached.mounts;
  };
  function table(record: AgentRecord): readonly Mount[] {
    const services = mountRows(deps.services, record).filter(({ type }) => type === undefined);
    return [
      ...services.map(({ path, service, access }): Mount => ({
        path,
        service: access === "approve" ? asked(path, makers(service)) : makers(service),
        allows: (op, inner) => allows(access, op, inner),
      })),
      ...directoryMounts(live, record, "agent"),
    ];
  }
  /** Made once: it counts what passes in a try, whatever becomes of the table meanwhile. */
  const asking = new Map<string, FileService>();
  function asked(mount: string, service: FileService): FileService {
    let made = asking.get(mount);
    if (!made) {
      const { approvals: book } = live;
      const tick = () => live.effects;
      asking.set(mount, made = approving(service, { mount, book, access: () => "approve", tick }));
    }
    return made;
  }
  const files = namespace(mounts, (listener) => {
    live.tableListeners.add(listener);
    return () => live.tableListeners.delete(listener);
  });
  const { tracer } = live;
  return tracer ? tracedFiles(files, live.id, tracer, () => live.effects?.span) : files;
}

/** An agent's files with an operator's or a local caller's authority, as far as a token goes. */
export function principalFiles(live: Live, deps: ViewDeps, principal: Principal): FileService {
  const source: Source = { kind: "http", principal: principal.name };
  const isWhole = principal.viewer === "operator" &&
    (principal.grant?.can ?? "operate") === "operate";
  const isOperator = principal.viewer === "operator" && principal.grant === undefined;
  const view = makeView(live, deps, principal.viewer, source, { isWhole, isOperator });
  const makers = lazyServices(deps.services, view);
  const none: readonly Mount[] = [];
  const { grant } = principal;
  const granted = (mount: Mount): Mount => ({
    ...mount,
    allows(op, inner) {
      const limit = overdue(grant, live.backend.now(), mount.path) ??
        grants(grant?.can, mount.path, op, inner);
      return limit === true ? mount.allows?.(op, inner) ?? true : limit;
    },
  });
  const all = Object.keys(deps.services).map((path) => granted({ path, service: makers(path) }));
  let cached: { readonly record: AgentRecord; readonly mounts: readonly Mount[] } | undefined;
  const mounts = () => {
    if (cached?.record !== live.record) {
      const directories = directoryMounts(live, live.record, principal.viewer).map(granted);
      cached = { record: live.record, mounts: [...all, ...directories] };
    }
    return cached.mounts;
  };
  return namespace(() => principal.viewer === "public" ? none : mounts(), (listener) => {
    live.tableListeners.add(listener);
    // What is open under a token ends with it.
    grant?.revoked?.addEventListener("abort", listener);
    return () => {
      live.tableListeners.delete(listener);
      grant?.revoked?.removeEventListener("abort", listener);
    };
  });
}

/** The directories among an agent's mounts. Their access is everybody's, as it is the host's affair; a local caller only reads. */
function directoryMounts(live: Live, record: AgentRecord, viewer: Viewer): Mount[] {
  return directoriesOf(record).map(([path, mount]) => {
    const isLess = viewer === "local" && mount.access === "read_write";
    const access = isLess ? "read_only" : mount.access;
    return {
      path,
      service: live.directories.at(mount),
      allows: (op, inner) => allows(access, op, inner),
    };
  });
}

function overdue(term: Term | undefined, nowMs: number, path: string): FileError | undefined {
  const detail = term && lapsed(term, nowMs);
  return detail === undefined ? undefined : new FileError("auth_required", "use", path, { detail });
}

/** Services are made when they are first used. */
function lazyServices(services: ServiceTable, view: AgentView): (path: string) => FileService {
  const made = new Map<string, FileService>();
  const get = (path: string): FileService => {
    let service = made.get(path);
    if (!service) made.set(path, service = services[path]!.service(view));
    return service;
  };
  const lazy = new Map<string, FileService>();
  return (path) => {
    let service = lazy.get(path);
    if (!service) {
      service = {
        open: (at, mode, options) => get(path).open(at, mode, options),
        stat: (at) => get(path).stat(at),
        list: (at, page) => get(path).list(at, page),
        remove: (at, options) => get(path).remove(at, options),
      };
      lazy.set(path, service);
    }
    return service;
  };
}

function makeView(
  live: Live,
  deps: ViewDeps,
  viewer: AgentView["viewer"],
  source: Source,
  /** `isWhole`: it is told where directories are on the host; `isOperator`: it may mount them, and open the host in other ways. */
  { isWhole = false, isOperator = false } = {},
): AgentView {
  const isAgent = viewer === "agent";
  const rows = isAgent ? agentRows(live) : otherRows(live);
  const tick = () => {
    const effects = live.effects;
    if (!effects || effects.over) {
      throw new FileError("not_ready", "write", `/agents/${live.id}`, {
        detail: "an agent writes only inside its tick",
      });
    }
    return effects;
  };
  return {
    id: live.id,
    viewer,
    isOperator,
    source,
    rows,
    signer: deps.signer,
    trace: live.trace,
    outbox: live.outbox,
    trajectory: live.trajectory,
    now: () => isAgent && live.effects ? live.effects.frame.now : live.backend.now(),
    newBlobId: () => live.newBlobId(),
    status: () => deps.status(live),
    async deliver(input) {
      if (!isAgent) return await live.inbox.accept(seal(live, input, source));
      const id = await tick().port.send(live.id, input.payload as unknown as Json);
      return {
        envelope_id: id as EnvelopeId,
        disposition: "queued",
        queue_depth: live.inbox.queue.size,
        duplicate: false,
      } satisfies Receipt;
    },
    // deno-lint-ignore require-await -- the view's answers are promises
    async waiting({ after, limit }) {
      const found = [];
      for (const entry of live.inbox.queue.all()) {
        if (after !== undefined && entry.n <= after) continue;
        found.push({ n: entry.n, id: entry.id, bytes: entry.bytes, at: entry.at });
        if (found.length >= limit) break;
      }
      return found;
    },
    async waitingEnvelope(n) {
      const entry = live.inbox.queue.get(n);
      return entry && await live.inbox.load(entry);
    },
    async control(word, signal) {
      if (!isAgent) return await deps.control(live, word, nameOf(source), signal);
      if (word === "tick") {
        throw new FileError("conflict", "tick", `/agents/${live.id}`, {
          detail:
            "an agent cannot tick itself inside its tick; ctx.send to itself or an alarm does it afterwards",
        });
      }
      tick().after.push(word);
    },
    deadLetters: deadView(live),
    code: async () => await readLarge(live.storage, key.code),
    codeDigest: () => live.record.code_digest,
    deploy: (code, digest) => deps.deploy(live, code, nameOf(source), digest),
    // deno-lint-ignore require-await -- the view's answers are promises
    async overflow() {
      return live.inbox.policy;
    },
    async setOverflow(policy) {
      await live.storage.commit({
        check: [],
        remove: [],
        put: [{ key: key.overflow, value: encodeJson(policy) }],
      });
      live.inbox.policy = policy;
    },
    // deno-lint-ignore require-await -- the view's answers are promises
    async mounts() {
      return mountRows(deps.services, live.record, isWhole);
    },
    setMounts: (table) => setMounts(live, deps.services, table, nameOf(source), isOperator),
    outside: outsideOf(live, isAgent ? tick : undefined),
    jobs: (mount) => live.jobs.view(mount),
    budget: {
      usage: (mount) => {
        const { effects } = live;
        return live.ledger.usage(mount, effects?.over ? undefined : effects?.frame.envelopeId);
      },
      policies: () => live.record.budgets ?? {},
      setPolicy: (mount, policy) => setBudget(live, deps.services, mount, policy, nameOf(source)),
      ledger: (page) => live.ledger.list(page),
      unknown: async () => (await live.journal.open()).filter(({ id }) => !live.doing.has(id)),
      async resolve(id, answer) {
        if (live.doing.has(id)) {
          throw new FileError("not_ready", "resolve", id, { detail: "it is being done now" });
        }
        await live.journal.resolve(id, answer);
        live.trace.add({ type: "budget", action: "resolved", effect: id, by: nameOf(source) });
      },
    },
    approvals: {
      ...live.approvals,
      decide: (id, answer) => live.approvals.decide(id, answer, nameOf(source)),
    },
    setting: (name) => live.record.settings?.[name],
    setSetting: (name, value) => setSetting(live, name, value, nameOf(source)),
  };
}

function nameOf(source: Source): string {
  return source.kind === "http" ? source.principal : source.kind;
}
