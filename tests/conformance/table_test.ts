import assert from "../assert.ts";
import type { Finding } from "../../conformance/law.ts";
import { table, verdict } from "./table.ts";

const FINDINGS: Finding[] = [
  { id: "S1", name: "reads_back", subject: "memory" },
  { id: "S2", name: "orders_keys", subject: "memory" },
  { id: "S1", name: "reads_back", subject: "sqlite" },
  { id: "S2", name: "orders_keys", subject: "sqlite", fault: "got b before a" },
  { id: "F1", name: "walks", subject: "memory" },
];

Deno.test("the table has a row a law and a column a subject", () => {
  assert.equal(
    table(FINDINGS),
    [
      "law               memory  sqlite",
      "S1   reads_back   ✓       ✓",
      "S2   orders_keys  ✓       ✗",
      "F1   walks        ✓       –",
    ].join("\n"),
  );
});

Deno.test("subjects whose names are too wide are told above, by numbers", () => {
  assert.equal(
    table(FINDINGS, [], 20),
    [
      "1  memory",
      "2  sqlite",
      "",
      "law               1  2",
      "S1   reads_back   ✓  ✓",
      "S2   orders_keys  ✓  ✗",
      "F1   walks        ✓  –",
    ].join("\n"),
  );
});

Deno.test("laws stand in the order in which they are told, unknown ones last", () => {
  const rows = table(FINDINGS, ["F1", "S2"]).split("\n");
  assert.deepEqual(rows.map((row) => row.split(" ")[0]), ["law", "F1", "S2", "S1"]);
});

Deno.test("a subject that breaks a law on one of its tries has broken it", () => {
  const twice: Finding[] = [
    { id: "F1", name: "walks", subject: "memory", fault: "lost" },
    { id: "F1", name: "walks", subject: "memory" },
  ];
  assert.match(table(twice), /F1 {3}walks {2}✗/);
});

Deno.test("the verdict names what is broken and counts", () => {
  assert.equal(
    verdict(FINDINGS),
    "✗ S2 orders_keys [sqlite]: got b before a\n4 kept, 1 broken",
  );
});
