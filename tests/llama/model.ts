/** A model file (GGUF) made on the fly: a llama whose weights hold a list of replies, so that a real engine gives a known answer. No attention, no chance: each word leads to the next. */

/** A call of a tool, in place of words. */
export interface CallReply {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}
export type Reply = string | CallReply;

export interface ModelFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Begins the reply of that number, as the last token of a prompt. */
  readonly starts: readonly string[];
  /** Begins an answer that has no end. */
  readonly endless: string;
}

export const CALL_OPEN = "<tool_call>";
export const CALL_CLOSE = "</tool_call>";
export const CONTEXT_TOKENS = 8192;

const SPECIAL = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"];
const END = "<|im_end|>";
const ENDLESS = "<|endless|>";
const ENDLESS_WORDS = ["▁on", "▁and"];
const PROMPT_WORDS = ["\n", " ", "▁", "user", "assistant", "system", "tool"];
/** Text that is no reply is spread over these, so that different texts have different embeddings. */
const TEXT_CHANNELS = 64;
const HEADS = 4;
const KV_HEADS = 2;
const FEED_FORWARD = 32;
const WORD = /▁*(?:[\p{L}\p{N}_]+|[^\p{L}\p{N}_▁]+)|▁+/gu;
/** Far above the rest: chosen at any temperature. */
const CERTAIN = 20;
const TEMPLATE =
  "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** @throws Error when one reply begins like another and cannot be told from it */
export function modelFile(name: string, replies: readonly Reply[]): ModelFile {
  const texts = replies.map(textOf);
  const starts = texts.map((_, i) => `<|reply_${i}|>`);
  const chains = chainsOf(texts);
  const controls = [...SPECIAL, ...starts, ENDLESS];
  const bytes = Array.from(
    { length: 256 },
    (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`,
  );
  const words = new Set([...PROMPT_WORDS, ...ENDLESS_WORDS, ...chains.values()].flat());
  const tokens = [...controls, ...bytes, ...words];
  const next = new Map<string, string>();
  for (const [i, text] of texts.entries()) link(next, [starts[i]!, ...chains.get(text)!, END]);
  link(next, [ENDLESS, ...ENDLESS_WORDS, ENDLESS_WORDS[0]!]);
  return { bytes: gguf(name, tokens, controls.length, next), starts, endless: ENDLESS };
}

export function textOf(reply: Reply): string {
  return typeof reply === "string" ? reply : `${CALL_OPEN}${JSON.stringify(reply)}${CALL_CLOSE}`;
}

function link(next: Map<string, string>, chain: readonly string[]): void {
  for (const [i, token] of chain.slice(0, -1).entries()) next.set(token, chain[i + 1]!);
}

/** Each text in pieces that occur nowhere else, because a piece has one that follows it. The shortest first: a longer text has more to join. */
function chainsOf(texts: readonly string[]): Map<string, readonly string[]> {
  const used = new Set([...PROMPT_WORDS, ...ENDLESS_WORDS]);
  const chains = new Map<string, readonly string[]>();
  for (const text of [...new Set(texts)].sort((a, b) => a.length - b.length)) {
    const pieces = piecesOf(text, used);
    pieces.forEach((piece) => used.add(piece));
    chains.set(text, pieces);
  }
  return chains;
}

function piecesOf(text: string, used: ReadonlySet<string>): string[] {
  const pieces: string[] = [];
  let open = "";
  for (const word of text.replaceAll(" ", "▁").match(WORD) ?? []) {
    open += word;
    if (used.has(open) || pieces.includes(open)) continue;
    pieces.push(open);
    open = "";
  }
  while (open !== "") {
    const last = pieces.pop();
    if (last === undefined) throw new Error(`Cannot tell ${JSON.stringify(text)} from another`);
    open = last + open;
    if (used.has(open) || pieces.includes(open)) continue;
    pieces.push(open);
    open = "";
  }
  return pieces;
}

type Value =
  | { readonly u32: number }
  | { readonly f32: number }
  | { readonly bool: boolean }
  | { readonly text: string }
  | { readonly texts: readonly string[] }
  | { readonly f32s: readonly number[] }
  | { readonly i32s: readonly number[] };

interface Tensor {
  readonly name: string;
  readonly shape: readonly number[];
  fill(values: Float32Array): void;
}

function gguf(
  name: string,
  tokens: readonly string[],
  controls: number,
  next: ReadonlyMap<string, string>,
): Uint8Array<ArrayBuffer> {
  const channels = new Map([...next.keys()].map((token, i) => [token, TEXT_CHANNELS + i]));
  const width = Math.ceil((TEXT_CHANNELS + next.size) / 32) * 32;
  const ids = new Map(tokens.map((token, i) => [token, i]));
  const tensors = tensorsOf(width, tokens, channels, (token) => ids.get(next.get(token)!)!);
  const kind = (i: number) => i === 0 ? 2 : i < controls ? 3 : i < controls + 256 ? 6 : 1;
  const settings: Record<string, Value> = {
    "general.architecture": { text: "llama" },
    "general.name": { text: name },
    "general.file_type": { u32: 0 },
    "llama.context_length": { u32: CONTEXT_TOKENS },
    "llama.embedding_length": { u32: width },
    "llama.block_count": { u32: 1 },
    "llama.feed_forward_length": { u32: FEED_FORWARD },
    "llama.attention.head_count": { u32: HEADS },
    "llama.attention.head_count_kv": { u32: KV_HEADS },
    "llama.attention.layer_norm_rms_epsilon": { f32: 1e-5 },
    "llama.rope.dimension_count": { u32: width / HEADS },
    "llama.vocab_size": { u32: tokens.length },
    "tokenizer.ggml.model": { text: "llama" },
    "tokenizer.ggml.tokens": { texts: tokens },
    "tokenizer.ggml.scores": {
      f32s: tokens.map((_, i) => i < controls + 256 ? 0 : controls + 256 - i),
    },
    "tokenizer.ggml.token_type": { i32s: tokens.map((_, i) => kind(i)) },
    "tokenizer.ggml.bos_token_id": { u32: 1 },
    "tokenizer.ggml.eos_token_id": { u32: SPECIAL.indexOf(END) },
    "tokenizer.ggml.unknown_token_id": { u32: 0 },
    "tokenizer.ggml.add_bos_token": { bool: true },
    "tokenizer.ggml.add_space_prefix": { bool: false },
    "tokenizer.chat_template": { text: TEMPLATE },
  };
  return fileOf(settings, tensors);
}

/** Nothing but the embedding and the output has weight: a token is a channel, and a channel speaks for the token that follows. */
function tensorsOf(
  width: number,
  tokens: readonly string[],
  channels: ReadonlyMap<string, number>,
  nextId: (token: string) => number,
): Tensor[] {
  const kv = width / HEADS * KV_HEADS;
  const zeros = (name: string, ...shape: number[]) => ({ name, shape, fill: () => {} });
  const ones = (name: string) => ({
    name,
    shape: [width],
    fill: (values: Float32Array) => void values.fill(1),
  });
  return [
    {
      name: "token_embd.weight",
      shape: [width, tokens.length],
      fill: (values) =>
        tokens.forEach((token, i) => {
          values[i * width + (channels.get(token) ?? i % TEXT_CHANNELS)] = 1;
        }),
    },
    ones("blk.0.attn_norm.weight"),
    zeros("blk.0.attn_q.weight", width, width),
    zeros("blk.0.attn_k.weight", width, kv),
    zeros("blk.0.attn_v.weight", width, kv),
    zeros("blk.0.attn_output.weight", width, width),
    ones("blk.0.ffn_norm.weight"),
    zeros("blk.0.ffn_gate.weight", width, FEED_FORWARD),
    zeros("blk.0.ffn_up.weight", width, FEED_FORWARD),
    zeros("blk.0.ffn_down.weight", FEED_FORWARD, width),
    ones("output_norm.weight"),
    {
      name: "output.weight",
      shape: [width, tokens.length],
      fill: (values) =>
        channels.forEach((channel, token) => {
          values[nextId(token) * width + channel] = CERTAIN;
        }),
    },
  ];
}

const ALIGNMENT = 32;
const VERSION = 3;
const F32_TENSOR = 0;

function fileOf(settings: Readonly<Record<string, Value>>, tensors: readonly Tensor[]) {
  const { parts, ...put } = writer();
  put.raw(new TextEncoder().encode("GGUF"));
  put.u32(VERSION);
  put.u64(tensors.length);
  put.u64(Object.keys(settings).length);
  for (const [key, value] of Object.entries(settings)) {
    put.text(key);
    putValue(put, value);
  }
  let offset = 0;
  for (const { name, shape } of tensors) {
    put.text(name);
    put.u32(shape.length);
    shape.forEach(put.u64);
    put.u32(F32_TENSOR);
    put.u64(offset);
    offset += aligned(4 * sizeOf(shape));
  }
  const head = parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(aligned(head) + offset);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  at = aligned(head);
  for (const { shape, fill } of tensors) {
    fill(new Float32Array(bytes.buffer, at, sizeOf(shape)));
    at += aligned(4 * sizeOf(shape));
  }
  return bytes;
}

type Put = Omit<ReturnType<typeof writer>, "parts">;

/** With the numbers of the format for the types. */
function putValue(put: Put, value: Value): void {
  const list = <T>(type: number, items: readonly T[], one: (item: T) => void) => {
    put.u32(9);
    put.u32(type);
    put.u64(items.length);
    items.forEach((item) => one(item));
  };
  if ("u32" in value) put.u32(4), put.u32(value.u32);
  else if ("f32" in value) put.u32(6), put.f32(value.f32);
  else if ("bool" in value) put.u32(7), put.raw(new Uint8Array([Number(value.bool)]));
  else if ("text" in value) put.u32(8), put.text(value.text);
  else if ("texts" in value) list(8, value.texts, put.text);
  else if ("f32s" in value) list(6, value.f32s, put.f32);
  else list(5, value.i32s, put.u32);
}

function writer() {
  const parts: Uint8Array[] = [];
  const number = (size: number, set: (view: DataView) => void) => {
    const part = new Uint8Array(size);
    set(new DataView(part.buffer));
    parts.push(part);
  };
  const u64 = (value: number) => number(8, (view) => view.setBigUint64(0, BigInt(value), true));
  return {
    parts,
    raw: (part: Uint8Array) => void parts.push(part),
    u32: (value: number) => number(4, (view) => view.setUint32(0, value, true)),
    u64,
    f32: (value: number) => number(4, (view) => view.setFloat32(0, value, true)),
    text: (text: string) => {
      const part = new TextEncoder().encode(text);
      u64(part.length);
      parts.push(part);
    },
  };
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

function aligned(size: number): number {
  return Math.ceil(size / ALIGNMENT) * ALIGNMENT;
}
