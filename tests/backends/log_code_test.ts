import assert from "../assert.ts";
import { decodeWritten, encodeWritten } from "../../src/backends/log_code.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const ALL = [
  {
    owner: "a",
    remove: ["inbox/1", "x"],
    put: [{ key: "state", value: bytes("{}") }, { key: "kv/e", value: bytes("") }],
  },
  { owner: "@b", remove: [], put: [{ key: "kv/ü", value: new Uint8Array([0, 255]) }] },
  { owner: "c", remove: ["y"], put: [] },
];

Deno.test("what a group has written is the same again", () => {
  assert.deepEqual(decodeWritten(encodeWritten(ALL)), ALL);
  assert.deepEqual(decodeWritten(encodeWritten([])), []);
});

Deno.test("an entry that is cut or too long is corrupt", () => {
  const whole = encodeWritten(ALL);
  for (let size = 0; size < whole.length; size++) {
    assert.throws(() => decodeWritten(whole.slice(0, size)), { code: "corrupt" }, `${size}`);
  }
  assert.throws(() => decodeWritten(new Uint8Array([...whole, 0])), { code: "corrupt" });
});
