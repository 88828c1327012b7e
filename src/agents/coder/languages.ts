/** What a coder knows of languages: which files it asks for, where they run, and what shows that they are right. */

export interface Language {
  /** As a model knows it. */
  readonly name: string;
  /** Undefined: the provider's own choice. */
  readonly image?: string;
  /** Exits with 0 when the program is right, and never where nothing was tried. */
  readonly test: string;
  /** What the model is told of the files. */
  readonly files: string;
  /** A file such as the program would be, to show the form of an answer. */
  readonly example: { readonly path: string; readonly text: string };
}

const PYTHON: Language = {
  name: "Python",
  image: "python:3.13-slim",
  test: "python3 -m unittest -v",
  files:
    "Put the program into main.py and its test into test_main.py, with unittest. The standard " +
    "library is all there is.",
  example: { path: "main.py", text: 'print("hello")\n' },
};
const JAVASCRIPT: Language = {
  name: "JavaScript for Node.js",
  image: "node:24-slim",
  test: "node --test",
  files: "Put the program into main.mjs and its test into main.test.mjs, with node:test and " +
    "node:assert/strict. There are no packages.",
  example: { path: "main.mjs", text: 'console.log("hello");\n' },
};
const SHELL: Language = {
  name: "POSIX sh",
  test: "sh test.sh",
  files:
    "Put the program into main.sh and its test into test.sh. The test runs sh main.sh, compares " +
    "what comes of it, and exits with 1 where that is wrong.",
  example: { path: "main.sh", text: "echo hello\n" },
};

const KNOWN: Readonly<Record<string, Language>> = {
  python: PYTHON,
  python3: PYTHON,
  py: PYTHON,
  javascript: JAVASCRIPT,
  js: JAVASCRIPT,
  node: JAVASCRIPT,
  sh: SHELL,
  shell: SHELL,
  posix: SHELL,
};
const BY_IMAGE: readonly (readonly [RegExp, Language])[] = [
  [/python|pypy/, PYTHON],
  [/node/, JAVASCRIPT],
  [/busybox|alpine|debian|ubuntu/, SHELL],
];

/** What is asked for where nothing else is said, and for a language of which only the name is known. */
export function languageOf(name: string | undefined, image: string | undefined): Language {
  if (name !== undefined) return KNOWN[name.toLowerCase()] ?? other(name);
  if (image === undefined) return PYTHON;
  const found = BY_IMAGE.find(([pattern]) => pattern.test(image));
  return found ? found[1] : other(`a language that the image ${image} is made for`);
}

function other(name: string): Language {
  return {
    name,
    test: "sh test.sh",
    files:
      "Put the test into test.sh: it builds what has to be built, runs the program, compares " +
      "what comes of it, and exits with 1 where that is wrong.",
    example: { path: "test.sh", text: "set -e\n" },
  };
}
