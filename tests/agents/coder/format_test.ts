/** Files are found in what models write, in the form that is asked for and in those that small models fall back to; and nothing is taken for a file where there is doubt. */
import assert from "../../assert.ts";
import { blocksOf, filesIn } from "../../../src/agents/coder/format.ts";

const FENCE = "```";
const block = (info: string, text: string) => `${FENCE}${info}\n${text}\n${FENCE}`;

/** What it found, by name; or the fault. */
function found(answer: string, isCut = false): Record<string, string> | string {
  const { files, fault } = filesIn(answer, isCut);
  return fault ?? Object.fromEntries(files!.map(({ path, text }) => [path, text]));
}

Deno.test("files are blocks with their names, and what stands between them is nothing", () => {
  const answer = `Here you are:\n\n${block("path=main.py", "a = 1\n\nprint(a)")}\nThe test:\n${
    block("path=tests/test_main.py", "import main")
  }\nI hope it helps.`;
  assert.deepEqual(found(answer), {
    "main.py": "a = 1\n\nprint(a)\n",
    "tests/test_main.py": "import main\n",
  });
});

for (
  const [what, text] of [
    ["a language before it", block("python path=main.py", "x")],
    ["quotes", block('python path="main.py"', "x")],
    ["braces", block("{path=main.py}", "x")],
    ["another word for it", block("python file: main.py", "x")],
    ["the name alone", block("main.py", "x")],
    ["the name behind a language", block("python main.py", "x")],
    ["a heading", `### \`main.py\`\n\n${block("python", "x")}`],
    ["bold and a colon", `**main.py**:\n${block("python", "x")}`],
    ["the word file", `File: main.py\n${block("", "x")}`],
    ["a dot and a slash", block("path=./main.py", "x")],
    ["tildes", "~~~path=main.py\nx\n~~~"],
    ["no end", `${FENCE}path=main.py\nx`],
    ["Windows' line ends", block("path=main.py", "x").replaceAll("\n", "\r\n")],
    [
      "thoughts before it",
      `<think>${block("path=no.py", "y")}</think>\n${block("path=main.py", "x")}`,
    ],
  ] as const
) {
  Deno.test(`a name is found with ${what}`, () =>
    assert.deepEqual(found(text), { "main.py": "x\n" }));
}

Deno.test("a name in the first line is found, and the line stays", () => {
  assert.deepEqual(found(block("python", "# path: main.py\nx")), {
    "main.py": "# path: main.py\nx\n",
  });
});

Deno.test("a sentence before a block is no name, nor is a language", () => {
  assert.match(
    found(`Save this as main.py, then run it:\n${block("python", "x")}`) as string,
    /no file.*name/i,
  );
  assert.match(found(block("c++", "x")) as string, /no file.*name/i);
});

Deno.test("of two blocks of one name the last one counts", () => {
  assert.deepEqual(found(`${block("path=a.py", "1")}\n${block("path=a.py", "2")}`), {
    "a.py": "2\n",
  });
});

Deno.test("a longer fence holds shorter ones", () => {
  const inner = block("sh", "ls");
  assert.deepEqual(found(`${FENCE}\`path=a.md\n${inner}\n${FENCE}\``), { "a.md": `${inner}\n` });
});

for (
  const [what, text, fault] of [
    ["words alone", "I cannot do that.", /no file in the answer/],
    ["a way out", block("path=../a.py", "x"), /"\.\.\/a\.py"/],
    ["an absolute name", block("path=/etc/passwd", "x"), /slash/],
    ["a control character", block("path=a\u0007.py", "x"), /control/],
    ["a file that is a directory", `${block("path=a", "x")}\n${block("path=a/b", "x")}`, /both/],
    ["too much", block("path=a.py", "x".repeat(1024 * 1024 + 1)), /too large/],
    [
      "too many",
      Array.from({ length: 65 }, (_, i) => block(`path=${i}.py`, "x")).join("\n"),
      /65 files/,
    ],
  ] as const
) {
  Deno.test(`${what}: no files, and the model is told why`, () => {
    assert.match(found(text) as string, fault);
  });
}

Deno.test("an answer that was cut off is none", () => {
  assert.match(found(block("path=a.py", "x"), true) as string, /cut off/);
});

Deno.test("what is shown to the model is found again as it was", () => {
  const files = [
    { path: "a.md", text: `${block("sh", "ls")}\n` },
    { path: "empty", text: "" },
    { path: "b/c.py", text: "x\n" },
  ];
  assert.deepEqual(filesIn(blocksOf(files), false), { files });
});
