/** What a hook is: whose messages it lets in, for which agent, and how they are signed. */
import { z } from "zod";
import { agentId } from "../../core/id.ts";
import { FileError } from "../../fs/error.ts";
import type { Scheme } from "./schemes.ts";

/** With the prefix and a digest it still fits into an envelope id. */
const NAME = /^[a-z0-9][a-z0-9_-]{0,47}$/;
const HEADER = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/;
/** Fewer characters can be guessed by who has seen one signed message. */
export const MIN_SECRET_CHARS = 16;
const MAX_SECRET_CHARS = 1_024;
const MAX_TEMPLATE_CHARS = 200;
/** How old, or how far ahead, a signed time may be. Seconds. */
export const DEFAULT_TOLERANCE_S = 300;
const MAX_TOLERANCE_S = 86_400;

export function isHookName(name: string): boolean {
  return NAME.test(name);
}

const agent = z.string().refine(isAgentId, "not an agent's id").meta({
  description: "The agent that gets the messages.",
});
const header = (about: string) =>
  z.string().regex(HEADER, "not a header's name").transform((name) => name.toLowerCase())
    .meta({ description: about });

/** Where the secret is: named, never shown. */
const reference = z.union([
  z.strictObject({
    env: z.string().regex(/^AGENTD_[A-Z0-9_]{1,120}$/, "a variable whose name begins with AGENTD_"),
  }),
  z.strictObject({ file: z.string().min(1).max(4_096) }),
]);
export type SecretReference = z.output<typeof reference>;

const secret = z.union([
  z.string()
    .min(MIN_SECRET_CHARS, `a secret has at least ${MIN_SECRET_CHARS} characters`)
    .max(MAX_SECRET_CHARS),
  reference,
]).optional().meta({
  description:
    "The shared secret, or where the server finds it when the hook is put and at its start: " +
    "a variable, or a file. Never told again. Left out: the one that is there stays.",
  writeOnly: true,
});

const github = z.strictObject({
  scheme: z.literal("github"),
  agent,
  secret,
});

const hmac = z.strictObject({
  scheme: z.literal("hmac-sha256"),
  agent,
  secret,
  signature_header: header(
    "Holds the HMAC-SHA256: hex or base64, with or without a prefix such as `sha256=`; or several of them.",
  ).default("x-signature-256"),
  id_header: header(
    "Names the delivery, so that a repeat of it takes effect once. Without it the digest of what is signed does.",
  ).optional(),
  event_header: header("Names the kind of event; told in `metadata.extra.event`.").optional(),
  timestamp_header: header("Holds the time of sending: seconds, milliseconds or ISO 8601.")
    .optional(),
  tolerance_s: z.int().min(1).max(MAX_TOLERANCE_S).default(DEFAULT_TOLERANCE_S).meta({
    description: "How many seconds the time of sending may be off.",
  }),
  signed: z.string().max(MAX_TEMPLATE_CHARS).optional().meta({
    description:
      "What is signed, of {body}, {timestamp} and {id}: `{body}`, or `{timestamp}.{body}` with a timestamp_header.",
  }),
}).check((ctx) => {
  const { signed, timestamp_header, id_header } = ctx.value;
  const refuse = (message: string) =>
    ctx.issues.push({ code: "custom", message, path: ["signed"], input: ctx.value });
  if (signed === undefined) return;
  if (signed.split("{body}").length !== 2) refuse("it has {body}, once");
  const hasTime = signed.includes("{timestamp}");
  if (hasTime !== (timestamp_header !== undefined)) {
    refuse("a time that is not signed proves nothing: {timestamp} goes with timestamp_header");
  }
  if (signed.includes("{id}") && id_header === undefined) refuse("{id} goes with id_header");
});

/** What an operator puts. */
export const hookSchema = z.discriminatedUnion("scheme", [github, hmac]);
export type HookInput = z.output<typeof hookSchema>;

/** A hook as it is kept and shown: everything but the secret. */
export type HookConfig =
  | Omit<z.output<typeof github>, "secret">
  | Omit<z.output<typeof hmac>, "secret">;

export interface Hook {
  readonly name: string;
  readonly config: HookConfig;
  /** `kept`: in the server's own file. */
  readonly secret: "kept" | SecretReference;
  /** ISO 8601; absent where it stands in the server's settings. */
  readonly created_at?: string;
}

/** As it is told. */
export interface ShownHook {
  readonly name: string;
  readonly agent: string;
  readonly scheme: Scheme;
  readonly secret: Hook["secret"];
  readonly created_at?: string;
  readonly url: string;
}

export function shownHook({ config, ...rest }: Hook): ShownHook {
  return { ...rest, ...config, url: `/hooks/${rest.name}` };
}

/**
 * Hooks that stand in the server's settings, where a secret is named and never written.
 * @throws FileError `invalid_request`, naming the hook and the field
 */
export function declaredHooks(entries: Readonly<Record<string, unknown>>): Hook[] {
  return Object.entries(entries).map(([name, value]) => {
    const refuse = (why: string) =>
      new FileError("invalid_request", "read", `hooks.${name}`, { detail: why });
    if (!isHookName(name)) throw refuse("its name is not 1 to 48 of a-z, 0-9, _ and -");
    const result = hookSchema.safeParse(value);
    if (!result.success) {
      const [issue] = result.error.issues;
      throw refuse(`${issue!.path.join(".")}: ${issue!.message}`);
    }
    const { secret, ...config } = result.data;
    if (typeof secret !== "object") {
      throw refuse('secret: settings name it and do not have it, as { "env": … } or { "file": … }');
    }
    return { name, config, secret };
  });
}

function isAgentId(value: string): boolean {
  try {
    agentId(value);
    return true;
  } catch {
    return false;
  }
}
