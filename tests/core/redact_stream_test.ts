/** A stream of bytes is shown at once but for what may be the beginning of a secret, wherever it is cut, and also when another takes it up. */
import { redactor } from "../../src/core/redact.ts";
import { seededRandom } from "../../src/backends/seeded_random.ts";
import { deepEqual, equal } from "../assert.ts";

const encoder = new TextEncoder();
const KNOWN = [{ name: "K", value: "sekret-value-1234" }, { name: "L", value: 'päss"word' }];
const subject = redactor(() => KNOWN);

const bytesOf = (text: string) => [...encoder.encode(text)];
const hex = (n: number, digits: number) => n.toString(16).padStart(digits, "0");
const SPELLINGS: readonly ((value: string) => string)[] = [
  (value) => value,
  encodeURIComponent,
  (value) => encodeURIComponent(encodeURIComponent(value)),
  (value) => JSON.stringify(value).slice(1, -1),
  (value) => encoder.encode(value).toBase64(),
  (value) => bytesOf(value).map((byte) => `%${hex(byte, 2)}`).join(""),
  (value) => [...value].map((c) => `\\u${hex(c.charCodeAt(0), 4)}`).join(""),
  (value) => [...value].map((c) => `&#${c.charCodeAt(0)};`).join(""),
];
const AROUND = ["hello ", "\\ 100% ", "sekret-val", "&amp; ", "x", "\n"];

Deno.test("redaction: an eager stream shows what the whole shows, cut anywhere and taken up anywhere", () => {
  const random = seededRandom("streams");
  const upTo = (n: number) => random(1)[0]! % n;
  for (let run = 0; run < 400; run++) {
    let text = "";
    for (let i = 0; i < 4; i++) {
      text += AROUND[upTo(AROUND.length)]!;
      if (upTo(2) === 1) text += SPELLINGS[upTo(SPELLINGS.length)]!(KNOWN[upTo(2)]!.value);
    }
    const bytes = encoder.encode(text);
    let eager = subject.stream({ eager: true });
    const masked = subject.stream({ masked: true });
    const shown: number[] = [];
    let length = 0;
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at += 1 + upTo(12));
      shown.push(...eager.push(part));
      length += masked.push(part).length;
      if (upTo(3) === 0) eager = subject.stream({ eager: true, held: eager.held });
    }
    shown.push(...eager.end());
    deepEqual(shown, [...subject.bytes(bytes)], text);
    equal(length + masked.end().length, bytes.length, text);
  }
});

Deno.test("redaction: an eager stream does not hold back a prompt", () => {
  const stream = subject.stream({ eager: true });
  deepEqual([...stream.push(encoder.encode("name? "))], bytesOf("name? "));
  deepEqual([...stream.push(encoder.encode("say sekret"))], bytesOf("say "));
  deepEqual([...stream.push(encoder.encode(" thing"))], bytesOf("sekret thing"));
  equal(stream.held.length, 0);
});

Deno.test("redaction: what is masked stays as long as it was", () => {
  const stream = subject.stream({ masked: true });
  const text = "key=sekret-value-1234;";
  const shown = [...stream.push(encoder.encode(text)), ...stream.end()];
  deepEqual(shown, bytesOf(`key=${"*".repeat(17)};`));
});
