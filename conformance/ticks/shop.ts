/** A shop in the world outside, which agents buy from: it outlives every runtime, and remembers what was asked of it. */
import type { Json } from "../../src/core/envelope.ts";
import type { ServiceMount } from "../../src/core/view.ts";
import { FileError } from "../../src/fs/error.ts";
import { dir, each, file, tree } from "../../src/fs/tree.ts";

/** What is written to `/shop/new` and `/shop/buy`. Amounts in micro-USD. */
export interface Wish {
  readonly item: string;
  /** What it may cost at the most. */
  readonly price: number;
  /** What it turns out to cost; all of the price if absent. */
  readonly cost?: number;
  readonly key?: string;
  /** Fails with this code after it was asked; `asked: false` before. */
  readonly fails?: "provider_unavailable" | "invalid_request" | "interrupted";
  readonly asked?: boolean;
  /** Waits in the shop until the door is opened. */
  readonly waits?: boolean;
}

export interface Shop {
  readonly mount: ServiceMount;
  /** Every item that was asked for, as often as it was. */
  readonly asked: string[];
  /** Lets those go on who wait, and all who come later. */
  open(): void;
  /** Whoever comes from now on waits again. */
  shut(): void;
}

export const SHOP = "/shop";

export function openShop(): Shop {
  const asked: string[] = [];
  let open = () => {};
  let door = new Promise<void>((resolve) => (open = resolve));

  async function sell(wish: Wish, signal?: AbortSignal): Promise<number | undefined> {
    if (wish.fails && wish.asked === false) throw refusal(wish);
    asked.push(wish.item);
    if (wish.waits) await Promise.race([door, aborted(signal)]);
    if (wish.fails) throw refusal(wish);
    return wish.cost ?? (wish.price === 0 ? 0 : undefined);
  }
  const termsOf = (wish: Wish) => ({ maxCostMicroUsd: wish.price, reason: `buys ${wish.item}` });
  const orderOf = (wish: Wish, path: string) => ({
    mount: SHOP,
    path: `${SHOP}${path}`,
    request: wish as unknown as Json,
    idempotency: wish.key === undefined ? undefined : { scope: "shop", key: wish.key },
  });
  return {
    asked,
    open: () => open(),
    shut: () => {
      door = new Promise<void>((resolve) => (open = resolve));
    },
    mount: {
      access: "budgeted",
      accesses: ["budgeted", "disabled"],
      jobs: {
        async run(run) {
          const wish = run.job.data as unknown as Wish;
          await run.asking();
          await run.emit({ text: `one ${wish.item}` });
          const costMicroUsd = await sell(wish, run.signal);
          await run.emit({ text: "done" });
          return { result: { got: wish.item }, costMicroUsd };
        },
      },
      service: (view) =>
        tree(
          dir({
            new: file({
              call: async (data) => {
                const wish = wishOf(data);
                return told(
                  await view.outside.submit(orderOf(wish, "/new"), () =>
                    Promise.resolve({
                      ...termsOf(wish),
                      data: wish as unknown as Json,
                      notify: true,
                      timeoutMs: 60_000,
                      answer: (id) => ({ job_id: id }),
                    })),
                );
              },
            }),
            buy: file({
              call: async (data) => {
                const wish = wishOf(data);
                return told(
                  await view.outside.perform(
                    orderOf(wish, "/buy"),
                    () => Promise.resolve(termsOf(wish)),
                    async () => {
                      const costMicroUsd = await sell(wish);
                      return { answer: { got: wish.item, nth: asked.length }, costMicroUsd };
                    },
                  ),
                );
              },
            }),
            usage: file({ read: () => told(view.budget.usage(SHOP) as unknown as Json) }),
            jobs: each({
              list: async (page) =>
                (await view.jobs(SHOP).list(page)).map(({ job_id }) => ({
                  name: job_id,
                  dir: true,
                })),
              async get(id) {
                const jobs = view.jobs(SHOP);
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
        ),
    },
  };
}

function refusal({ fails, item, asked }: Wish): FileError {
  return new FileError(fails!, "buy", item, asked === false ? { extra: { asked: false } } : {});
}

function wishOf(data: Uint8Array): Wish {
  return JSON.parse(new TextDecoder().decode(data));
}

function told(value: Json): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
