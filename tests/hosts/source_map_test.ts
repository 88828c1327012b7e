/** Places of a bundle in its author's files, and maps that are none. */
import { encode } from "@jridgewell/sourcemap-codec";
import { deepEqual, equal } from "../assert.ts";
import { locator, MAP_COMMENT } from "../../src/hosts/source_map.ts";

const encoder = new TextEncoder();
const withMap = (map: unknown) =>
  encoder.encode(
    `code;\n${MAP_COMMENT}${btoa(typeof map === "string" ? map : JSON.stringify(map))}\n`,
  );

const MAP = {
  version: 3,
  sources: ["agent.ts", "lib/deep.ts"],
  names: [],
  // Columns from 0: [of the bundle, source, its line, its column].
  mappings: encode([
    [[0, 0, 9, 12], [10, 1, 4, 2], [20], [30, 0, 0, 0]],
    [],
    [[5, 1, 7, 0]],
  ]),
};

Deno.test("a position of the bundle is told as its author wrote it", () => {
  const locate = locator(withMap(MAP));
  deepEqual(locate(1, 1), { file: "agent.ts", line: 10, column: 13 });
  deepEqual(locate(1, 10), { file: "agent.ts", line: 10, column: 13 });
  deepEqual(locate(1, 11), { file: "lib/deep.ts", line: 5, column: 3 });
  deepEqual(locate(1, 99), { file: "agent.ts", line: 1, column: 1 });
  deepEqual(locate(3, 6), { file: "lib/deep.ts", line: 8, column: 1 });
});

Deno.test("what is of no file of the author's has no place", () => {
  const locate = locator(withMap(MAP));
  equal(locate(1, 25), undefined);
  equal(locate(2, 1), undefined);
  equal(locate(3, 1), undefined);
  equal(locate(4, 1), undefined);
});

Deno.test("a module without a map is told as it is", () => {
  deepEqual(locator(encoder.encode("code;"))(3, 7), { file: "agent.js", line: 3, column: 7 });
});

Deno.test("a map that makes no sense maps nothing, and throws nothing", () => {
  const broken = [
    "",
    "not JSON",
    "null",
    "[]",
    { sources: "agent.ts", mappings: MAP.mappings },
    { sources: [1], mappings: MAP.mappings },
    { sources: [], mappings: MAP.mappings },
    { sources: ["agent.ts"] },
    // Its one place stands ten lines before the beginning.
    { sources: ["agent.ts"], mappings: "AAVA" },
    { sources: new Array(20_000).fill("a"), mappings: MAP.mappings },
  ];
  for (const map of broken) equal(locator(withMap(map))(1, 11), undefined);
  equal(locator(encoder.encode(`code;\n${MAP_COMMENT}%%%\n`))(1, 1), undefined);
});

Deno.test("the last map is the module's", () => {
  const text = `const quoted = ${JSON.stringify(MAP_COMMENT + "abc")};\n`;
  const end = new TextDecoder().decode(withMap(MAP));
  deepEqual(locator(encoder.encode(text + end))(1, 1)?.file, "agent.ts");
});
