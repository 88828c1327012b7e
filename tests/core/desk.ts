/** A desk in the world outside, at `/desk`: what is asked of it is done as the test says. */
import { memoryTicks } from "../../conformance/memory.ts";
import type { TickSubject } from "../../conformance/ticks.ts";
import { createAgentd } from "../../src/agentd.ts";
import type { Backend } from "../../src/core/backend.ts";
import type { Json } from "../../src/core/envelope.ts";
import type { JobEnd, JobKind, JobRun, Performed } from "../../src/core/outside.ts";
import type { ServiceMount } from "../../src/core/view.ts";
import { dir, each, file, tree } from "../../src/fs/tree.ts";

export const DESK = "/desk";

/** What is written to `/desk/do`, and to `/desk/new` for a job. */
export interface Errand {
  readonly what: string;
  readonly price?: number;
  readonly key?: string;
  /** Makes the request as long as it is. */
  readonly padding?: string;
}

export interface Desk {
  /** What `/desk/do` does. */
  perform: (errand: Errand) => Promise<Performed>;
  /** How a job of `/desk/new` runs. */
  run: (run: JobRun, errand: Errand) => Promise<JobEnd>;
  /** Resolves before an order comes to its price. */
  priced: () => Promise<void>;
  /** What else its jobs are. */
  kind: Omit<JobKind, "run">;
}

export const free = (answer: Json): Performed => ({ answer, costMicroUsd: undefined });

function mountOf(desk: Desk): ServiceMount {
  return {
    access: "budgeted",
    accesses: ["budgeted", "disabled"],
    get jobs() {
      return {
        ...desk.kind,
        run: (run: JobRun) => desk.run(run, run.job.data as unknown as Errand),
      };
    },
    service: (view) => {
      const order = (errand: Errand, path: string) => ({
        mount: DESK,
        path: `${DESK}${path}`,
        request: errand as unknown as Json,
        idempotency: errand.key === undefined ? undefined : { scope: "desk", key: errand.key },
      });
      const terms = async ({ what, price = 1 }: Errand) => {
        await desk.priced();
        return { maxCostMicroUsd: price, reason: `does ${what}` };
      };
      return tree(
        dir({
          do: file({
            call: async (data) => {
              const errand = read(data);
              return told(
                await view.outside.perform(
                  order(errand, "/do"),
                  () => terms(errand),
                  () => desk.perform(errand),
                ),
              );
            },
          }),
          new: file({
            call: async (data) => {
              const errand = read(data);
              return told(
                await view.outside.submit(order(errand, "/new"), async () => ({
                  ...await terms(errand),
                  data: { what: errand.what },
                  notify: true,
                  timeoutMs: 60_000,
                  answer: (id) => ({ job_id: id }),
                })),
              );
            },
          }),
          jobs: each({
            list: async (page) =>
              (await view.jobs(DESK).list(page)).map(({ job_id }) => ({ name: job_id, dir: true })),
            async get(id) {
              const jobs = view.jobs(DESK);
              if (!await jobs.get(id)) return undefined;
              return dir({
                status: file({ read: async () => told(await jobs.get(id) as unknown as Json) }),
                result: file({ read: async () => told(await jobs.result(id) ?? null) }),
                stream: file({
                  kind: "stream",
                  read: async ({ after = 0 }) =>
                    new TextEncoder().encode(
                      (await jobs.stream(id).read({ after }))
                        .map((event) => `${JSON.stringify(event)}\n`).join(""),
                    ),
                  watch: ({ after, signal }) =>
                    jobs.stream(id).watch({ signal, ...(after === undefined ? {} : { after }) }),
                }),
                ctl: file({ write: () => jobs.cancel(id) }),
              });
            },
          }),
        }),
        view.viewer,
      );
    },
  };
}

/** @param spoil what it makes of the backend is what the runtime has */
export async function withDesk(
  run: (subject: TickSubject, desk: Desk) => Promise<void>,
  spoil: (backend: Backend) => Backend = (backend) => backend,
): Promise<void> {
  const desk: Desk = {
    perform: ({ what }) => Promise.resolve(free({ done: what })),
    run: ({ asking }, { what }) =>
      asking().then(() => ({ result: { done: what }, costMicroUsd: undefined })),
    priced: () => Promise.resolve(),
    kind: {},
  };
  const made = memoryTicks("desk", {
    begin: (parts) =>
      createAgentd({
        ...parts,
        backend: spoil(parts.backend),
        services: { ...parts.services, [DESK]: mountOf(desk) },
      }),
  });
  const { subject, close } = await made.open();
  try {
    await run(subject, desk);
  } finally {
    await close();
  }
}

function read(data: Uint8Array): Errand {
  return JSON.parse(new TextDecoder().decode(data));
}

function told(value: Json): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
