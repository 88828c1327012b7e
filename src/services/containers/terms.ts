/** What a request comes to before anything begins: where it runs, for how long, and what is reserved for it. */
import type {
  Command,
  ContainerKind,
  ContainerLimits,
  ContainerPrice,
  ContainerProviders,
  ContainerRequest,
  Repository,
} from "../../core/containers.ts";
import type { Json } from "../../core/envelope.ts";
import type { JobTerms } from "../../core/outside.ts";
import type { Secrets } from "../../core/secrets.ts";
import type { AgentView } from "../../core/view.ts";
import { refusal } from "../../fs/tree.ts";
import { askedCost, mustFit, mustHaveKey } from "../common/cost.ts";
import { choose } from "./choose.ts";
import { type ContainerPolicy, MOUNT, mustAllow, policyOf } from "./policy.ts";
import { reservedFor } from "./price.ts";
import { workdirOf } from "./request.ts";
import { filledEnv, filledRepo } from "./secrets.ts";

const DEFAULT_TIME_SECS = 300;
const DEFAULT_MEMORY_MB = 1024;
const DEFAULT_DISK_MB = 512;
const DEFAULT_CORES = 1;

/** What a session's row keeps of its request. */
export interface SessionData {
  readonly type: "session";
  readonly kind: ContainerKind;
  readonly image: string;
  readonly provider_id: string;
  readonly price: ContainerPrice;
  readonly limits: ContainerLimits;
  /** From its begin on. */
  readonly time_ms: number;
  readonly allow_root: boolean;
  readonly max_concurrent: number;
  readonly max_file_size_bytes: number;
  readonly has_repo: boolean;
}

/** What is large of it; secrets are by their names. */
export interface SessionInput {
  readonly commands: readonly Command[];
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string;
  readonly files: ContainerRequest["files"];
  readonly artifacts: readonly string[];
  readonly repo: Repository | null;
}

/** @throws FileError for each reason why not; nothing has happened then */
export async function termsOf(
  view: AgentView,
  { providers, secrets }: { readonly providers: ContainerProviders; readonly secrets: Secrets },
  request: ContainerRequest,
): Promise<JobTerms> {
  const policy = policyOf(view);
  mustHaveKey(policy, request.idempotency_key);
  const limits = limitsOf(request, policy);
  mustBeAllowed(request, policy);
  const { env, repo = null } = request;
  filledEnv(secrets, view.id, env);
  if (repo) filledRepo(secrets, view.id, repo);
  const asked = askedCost(request, policy);
  const { provider, image } = await choose(providers, request, policy);
  const { price } = provider.info();
  const wantedMs = Math.min(limits.max_time_secs * 1000, request.timeout_ms ?? Infinity);
  const { microUsd, timeMs } = reservedFor(price, wantedMs, asked);
  mustFit(view, MOUNT, policy, microUsd);
  const data: SessionData = {
    type: "session",
    kind: request.kind,
    image,
    provider_id: provider.id,
    price,
    limits,
    time_ms: timeMs,
    allow_root: policy.allow_root,
    max_concurrent: policy.max_concurrent,
    max_file_size_bytes: policy.max_file_size_bytes,
    has_repo: repo !== null,
  };
  const { commands, files, artifacts } = request;
  const input: SessionInput = {
    commands,
    env,
    files,
    artifacts,
    repo,
    workdir: workdirOf(request.workdir),
  };
  return {
    maxCostMicroUsd: microUsd,
    reason: `${request.kind} session of ${image} (${provider.id})`,
    data: data as unknown as Json,
    input: input as unknown as Json,
    notify: request.notify,
    timeoutMs: timeMs,
    answer: (id) => ({ session_id: id, status: "provisioning", ...pathsOf(id) }),
  };
}

export function pathsOf(session: string) {
  const at = `${MOUNT}/sessions/${session}`;
  return { status_path: `${at}/status`, output_path: `${at}/output`, result_path: `${at}/result` };
}

/** What is not said is as usual, and never more than the policy's most. */
function limitsOf({ limits }: ContainerRequest, policy: ContainerPolicy): ContainerLimits {
  const { max_execution_time_secs, max_memory_mb } = policy;
  const {
    max_time_secs = Math.min(DEFAULT_TIME_SECS, max_execution_time_secs),
    max_memory_mb: memory = Math.min(DEFAULT_MEMORY_MB, max_memory_mb),
  } = limits;
  mustAllow(
    max_time_secs <= max_execution_time_secs,
    `limits.max_time_secs is ${max_time_secs}, and max_execution_time_secs ${max_execution_time_secs}`,
  );
  mustAllow(
    memory <= max_memory_mb,
    `limits.max_memory_mb is ${memory}, and the policy's max_memory_mb ${max_memory_mb}`,
  );
  return {
    max_time_secs,
    max_memory_mb: memory,
    max_disk_mb: limits.max_disk_mb ?? DEFAULT_DISK_MB,
    max_cpu_cores: limits.max_cpu_cores ?? DEFAULT_CORES,
    allow_network: limits.allow_network ?? false,
  };
}

function mustBeAllowed(request: ContainerRequest, policy: ContainerPolicy): void {
  const { allow_network, max_file_size_bytes } = policy;
  mustAllow(allow_network || request.limits.allow_network !== true, "allow_network is false");
  mustAllow(
    allow_network || !request.repo,
    "a repository needs a network, and allow_network is false",
  );
  for (const [path, content] of Object.entries(request.files)) {
    const size = contentBytes(content).length;
    if (size <= max_file_size_bytes) continue;
    throw refusal(
      "too_large",
      `files: ${
        JSON.stringify(path)
      } has ${size} bytes, and max_file_size_bytes is ${max_file_size_bytes}`,
      { size, max_file_size_bytes },
    );
  }
}

const encoder = new TextEncoder();

export function contentBytes(content: ContainerRequest["files"][string]): Uint8Array {
  return typeof content === "string"
    ? encoder.encode(content)
    : Uint8Array.fromBase64(content.base64);
}
