/** A real server in a folder of its own, and what is looked at from outside: its memory, its open files, what it answers. */
import assert from "../assert.ts";
import { inPlace, type Place, type Served } from "../e2e/server.ts";

/** `deno task faults` sets it: the numbers that are promised, where the ordinary tests take smaller ones. */
export const WHOLE = Deno.env.get("AGENTD_FAULTS") === "whole";

export interface Standing {
  readonly place: Place;
  /** The data directory. */
  readonly home: string;
  /** Starts a server there. */
  serve(listen?: string): Promise<Served>;
}

/** A folder, and a data directory in it that is not yet there. */
export function standing(test: (standing: Standing) => Promise<void>): Promise<void> {
  return inPlace(async (place) => {
    const home = `${place.dir}/home`;
    await test({
      place,
      home,
      serve: (listen = "127.0.0.1:0") => place.serve(["serve", "--home", home, "--listen", listen]),
    });
  });
}

/** An agent that counts its messages. */
export async function counter({ url }: Served): Promise<string> {
  const body = JSON.stringify({ id: "bob", agent: "counter" });
  const answer = await fetch(`${url}/agents`, { method: "POST", body });
  assert.equal(answer.status, 201, await answer.text());
  return `${url}/agents/bob/send`;
}

export interface Told {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** Sends one message under an id; with `wait`, the counter's reply is in the answer. */
export async function sent(url: string, id: string, wait = false): Promise<Told> {
  const answer = await fetch(wait ? `${url}?wait=60` : url, {
    method: "POST",
    headers: { "idempotency-key": id, "content-type": "text/plain" },
    body: "one more",
  });
  return { status: answer.status, body: await answer.json() };
}

/** What the counter replied. */
export function countIn({ body }: Told): number {
  return Number((body.replies as { text: string }[])[0]!.text);
}

/** Bytes of memory that the process has. */
export function memoryOf(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return 1024 * Number(/^VmRSS:\s+(\d+) kB/m.exec(status)![1]);
}

export function openFilesOf(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

/** Why a process cannot be looked at from outside here. */
export function noProc(): string | undefined {
  return Deno.build.os === "linux" ? undefined : "there is no /proc";
}

export async function run(...command: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command[0]!, { args: command.slice(1) })
    .output();
  assert.ok(success, `${command.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

/** Tries until it holds: what is waited for is an event that nobody tells. */
export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!await holds()) await new Promise((resolve) => setTimeout(resolve, 20));
}
