/** Secrets: named, bound, used by those they are bound to, and known to the redactor from before their first use. */
import type { Endpoint } from "../../src/core/hosts.ts";
import { agentId } from "../../src/core/id.ts";
import { MAX_SECRET, MAX_SECRETS, openSecrets, type SecretStore } from "../../src/core/secrets.ts";
import { memorySecrets } from "./memory_secrets.ts";
import { deepEqual, equal, match, ok, rejects, throws } from "../assert.ts";

const [bob, ann] = [agentId("bob"), agentId("ann")];
const VALUE = "value-of-the-secret";
const HTTP = { mounts: ["/http"], hosts: ["api.example.com"] };
const api: Endpoint = { scheme: "https", host: "api.example.com", port: 443 };
const open = (store: SecretStore = memorySecrets()) => openSecrets(store, () => 1000);
const denied = { code: "permission_denied" };

Deno.test("secrets: used by whom it is bound to, at the place it is bound to, and by nobody else", async () => {
  const secrets = await open();
  await secrets.set("KEY", { value: VALUE, ...HTTP, agents: [bob] });
  equal(secrets.use("KEY", { mount: "/http", agent: bob, host: api }), VALUE);
  throws(() => secrets.use("KEY", { mount: "/http", agent: ann, host: api }), denied);
  throws(() => secrets.use("KEY", { mount: "/http", agent: bob }), denied);
  throws(() => secrets.use("KEY", { mount: "/compute", agent: bob }), denied);
  const http: Endpoint = { ...api, scheme: "http", port: 80 };
  for (const host of [http, { ...api, port: 8443 }, { ...api, host: "evil.test" }]) {
    throws(() => secrets.use("KEY", { mount: "/http", agent: bob, host }), denied);
  }
  throws(() => secrets.use("OTHER", { mount: "/http", host: api }), {
    code: "not_found",
    detail:
      "there is no secret OTHER; an operator sets it: agentd secret set OTHER --mount /http " +
      `--host ${api.host}`,
  });
  await secrets.set("MODEL", { value: VALUE, mounts: ["/compute"] });
  equal(secrets.use("MODEL", { mount: "/compute" }), VALUE);
  equal(secrets.use("MODEL", { mount: "/compute", agent: ann }), VALUE);
});

Deno.test("secrets: nothing that is told of one is its value", async () => {
  const secrets = await open();
  const { info, created } = await secrets.set("KEY", { value: VALUE, ...HTTP });
  deepEqual([info, created], [
    { name: "KEY", ...HTTP, created_at: "1970-01-01T00:00:01.000Z" },
    true,
  ]);
  deepEqual(secrets.list(), [info]);
  ok(!JSON.stringify(secrets).includes(VALUE));
});

Deno.test("secrets: a value is replaced and its binding stays, or the other way round", async () => {
  const secrets = await open();
  await secrets.set("KEY", { value: VALUE, ...HTTP, agents: [bob] });
  equal((await secrets.set("KEY", { value: "another-value" })).created, false);
  equal(secrets.use("KEY", { mount: "/http", agent: bob, host: api }), "another-value");
  await secrets.set("KEY", { agents: [] });
  equal(secrets.use("KEY", { mount: "/http", agent: ann, host: api }), "another-value");
  // What is under way may still tell the old one.
  equal(secrets.redactor.text(`${VALUE} another-value`), "[secret KEY] [secret KEY]");
  await secrets.remove("KEY");
  deepEqual(secrets.list(), []);
  equal(secrets.redactor.text("another-value"), "[secret KEY]");
  await rejects(secrets.remove("KEY"), { code: "not_found" });
});

Deno.test("secrets: what cannot be one is refused, and the refusal does not tell it", async () => {
  const secrets = await open();
  const bad: [string, Parameters<typeof secrets.set>[1]][] = [
    ["key", { value: VALUE, ...HTTP }],
    ["1KEY", { value: VALUE, ...HTTP }],
    ["K".repeat(65), { value: VALUE, ...HTTP }],
    ["KEY", { value: "five5", ...HTTP }],
    ["KEY", { value: "x".repeat(MAX_SECRET + 1), ...HTTP }],
    ["KEY", { value: ` ${VALUE}`, ...HTTP }],
    ["KEY", { value: `${VALUE}\n`, ...HTTP }],
    ["KEY", { value: `${VALUE}\0x`, ...HTTP }],
    ["KEY", { value: `${VALUE}\ud800`, ...HTTP }],
    ["KEY", { value: "SECRET", ...HTTP }],
    ["KEY", { value: VALUE }],
    ["KEY", { value: VALUE, mounts: ["/http"] }],
    ["KEY", { value: VALUE, mounts: ["/compute"], hosts: ["a.test"] }],
    ["KEY", { value: VALUE, mounts: ["compute"] }],
    ["KEY", { value: VALUE, mounts: ["/http"], hosts: ["*"] }],
    ["KEY", { value: VALUE, mounts: Array.from({ length: 65 }, (_, i) => `/m${i}`) }],
    ["KEY", HTTP],
  ];
  for (const [name, change] of bad) {
    const error = await secrets.set(name, change).then(() => undefined, (error) => error);
    equal(error?.code, "invalid_request", JSON.stringify([name, change]).slice(0, 100));
    ok(!JSON.stringify([error.message, error.detail]).includes(VALUE));
  }
  deepEqual(secrets.list(), []);
  for (let i = 0; i < MAX_SECRETS; i++) {
    await secrets.set(`K${i}`, { value: `${VALUE}${i}`, ...HTTP });
  }
  await rejects(secrets.set("KEY", { value: VALUE, ...HTTP }), { code: "quota_exceeded" });
  await secrets.set("K0", { value: "still-another" });
});

Deno.test("secrets: what could not be kept is not there, and is known to the redactor all the same", async () => {
  const store = memorySecrets();
  let fails = false;
  const secrets = await open({
    load: store.load,
    save: (all) => fails ? Promise.reject(new Error("no disk")) : store.save(all),
  });
  await secrets.set("KEY", { value: VALUE, ...HTTP });
  fails = true;
  await rejects(secrets.set("KEY", { value: "another-value" }), /no disk/);
  equal(secrets.use("KEY", { mount: "/http", host: api }), VALUE);
  match(secrets.redactor.text("another-value"), /^\[secret KEY\]$/);
  fails = false;
  await Promise.all([
    secrets.set("A", { value: "value-a", ...HTTP }),
    secrets.set("B", { value: "value-b", ...HTTP }),
  ]);
  deepEqual((await open(store)).list().map(({ name }) => name), ["A", "B", "KEY"]);
});
