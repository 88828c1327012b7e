/** A tick's files: every operation is traced as it happens and recorded with digests of what went in and came out; none works once the tick is over. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { codeOf } from "../fs/error.ts";
import type { FileHandle, FileService, Mode, OpenOptions } from "../fs/file.ts";
import type { TraceInput } from "./trace.ts";

/** One file operation of a tick, as the trajectory keeps it. Digests are 16 hex digits of a SHA-256. */
export interface CallRecord {
  readonly op: Mode | "stat" | "list" | "remove";
  readonly path: string;
  request?: string;
  answer?: string;
  bytes_in?: number;
  bytes_out?: number;
  error?: string;
}

export interface Recorder {
  /** Throws once the tick is over. */
  alive(op: string, path: string): void;
  /** Aborts when the tick ends, which discards what handles have not committed and ends their watches. */
  readonly signal: AbortSignal;
  record(call: CallRecord): void;
  trace(event: TraceInput): void;
}

/** So many records of one tick; a loop over files must not fill its record. */
const MAX_RECORDS = 2_000;

export function recorded(files: FileService, recorder: Recorder): FileService {
  let count = 0;
  function begin(op: CallRecord["op"], path: string): CallRecord {
    recorder.alive(op, path);
    const call: CallRecord = { op, path };
    if (count++ < MAX_RECORDS) recorder.record(call);
    recorder.trace({ type: "file_call", op, path });
    return call;
  }
  function failed(call: CallRecord, error: unknown): never {
    call.error = codeOf(error);
    recorder.trace({ type: "file_result", op: call.op, path: call.path, error: call.error });
    throw error;
  }
  async function simple<T>(op: CallRecord["op"], path: string, run: () => Promise<T>): Promise<T> {
    const call = begin(op, path);
    try {
      const answer = await run();
      recorder.trace({ type: "file_result", op, path });
      return answer;
    } catch (error) {
      return failed(call, error);
    }
  }
  return {
    stat: (path) => simple("stat", path, () => files.stat(path)),
    list: (path, page) => simple("list", path, () => files.list(path, page)),
    remove: (path, options) => simple("remove", path, () => files.remove(path, options)),
    async open(path, mode, options: OpenOptions = {}) {
      const call = begin(mode, path);
      try {
        const signal = options.signal
          ? AbortSignal.any([options.signal, recorder.signal])
          : recorder.signal;
        const handle = await files.open(path, mode, { ...options, signal });
        return recordedHandle(handle, call, recorder, failed);
      } catch (error) {
        return failed(call, error);
      }
    },
  };
}

function recordedHandle(
  handle: FileHandle,
  call: CallRecord,
  recorder: Recorder,
  failed: (call: CallRecord, error: unknown) => never,
): FileHandle {
  const sent = sha256.create();
  const got = sha256.create();
  let bytesIn = 0;
  let bytesOut = 0;
  let told = false;
  async function step<T>(run: () => Promise<T>): Promise<T> {
    recorder.alive(call.op, call.path);
    try {
      return await run();
    } catch (error) {
      told = true;
      return failed(call, error);
    }
  }
  return {
    read: () =>
      step(async () => {
        const chunk = await handle.read();
        // What arrives after the end of the tick was not part of it.
        recorder.alive(call.op, call.path);
        if (chunk) {
          got.update(chunk);
          bytesOut += chunk.length;
        }
        return chunk;
      }),
    write: (data) =>
      step(async () => {
        sent.update(data);
        bytesIn += data.length;
        await handle.write(data);
      }),
    async close() {
      try {
        await handle.close();
      } catch (error) {
        told = true;
        failed(call, error);
      }
      if (told) return;
      told = true;
      if (bytesIn > 0) Object.assign(call, { request: short(sent.digest()), bytes_in: bytesIn });
      if (bytesOut > 0) Object.assign(call, { answer: short(got.digest()), bytes_out: bytesOut });
      recorder.trace({
        type: "file_result",
        op: call.op,
        path: call.path,
        bytes_in: bytesIn,
        bytes_out: bytesOut,
      });
    },
  };
}

function short(digest: Uint8Array): string {
  return bytesToHex(digest.subarray(0, 8));
}
