/** The lint plugin: rooms name nothing of the world that they are not given. */
import { rightsOf, type World } from "./rooms.ts";
import { ROOT } from "./root.ts";

/** Deno's and Node's own, which only a local door or backend may name. */
const LOCAL = ["Deno", "process", "Buffer", "global", "require", "__dirname", "__filename"];
/** What web platforms have and portable rooms are given by the backend, or do without. */
const WEB = [
  "globalThis",
  "self",
  "window",
  "document",
  "navigator",
  "location",
  "localStorage",
  "sessionStorage",
  "indexedDB",
  "caches",
  "fetch",
  "XMLHttpRequest",
  "WebSocket",
  "EventSource",
  "BroadcastChannel",
  "Worker",
  "setTimeout",
  "clearTimeout",
  "setInterval",
  "clearInterval",
  "setImmediate",
  "queueMicrotask",
  "performance",
  "Temporal",
  "console",
  "crypto",
  "alert",
  "prompt",
  "confirm",
];
const NAMES: Readonly<Record<World, ReadonlySet<string>>> = {
  none: new Set([...LOCAL, ...WEB]),
  web: new Set(LOCAL),
  deno: new Set(),
};
const INSTEAD: Readonly<Record<string, string>> = {
  "Date.now": "now() of the backend or view",
  "Math.random": "random() of the backend",
};

interface Node {
  readonly type: string;
  readonly name?: string;
  readonly parent?: Node;
  readonly key?: Node;
  readonly property?: Node;
  readonly computed?: boolean;
  readonly imported?: Node;
  readonly exported?: Node;
  readonly right?: Node;
}

/** Is this identifier the name of a member, not of a variable? */
function isMemberName(node: Node): boolean {
  const parent = node.parent;
  if (parent === undefined) return false;
  if (parent.type === "MemberExpression") return parent.property === node && !parent.computed;
  if (parent.type === "TSQualifiedName") return parent.right === node;
  if (parent.type === "ImportSpecifier") return parent.imported === node;
  if (parent.type === "ExportSpecifier") return parent.exported === node;
  return parent.key === node && !parent.computed;
}

/** The names that a pattern binds. */
function bound(pattern: unknown): string[] {
  const node = pattern as {
    type: string;
    name: string;
    left: unknown;
    argument: unknown;
    value: unknown;
    parameter: unknown;
    elements: unknown[];
    properties: unknown[];
  } | null;
  switch (node?.type) {
    case "Identifier":
      return [node.name];
    case "AssignmentPattern":
      return bound(node.left);
    case "RestElement":
      return bound(node.argument);
    case "Property":
      return bound(node.value);
    case "TSParameterProperty":
      return bound(node.parameter);
    case "ArrayPattern":
      return node.elements.flatMap(bound);
    case "ObjectPattern":
      return node.properties.flatMap(bound);
    default:
      return [];
  }
}

function worldOf(filename: string): World {
  const path = filename.replaceAll("\\", "/");
  const root = decodeURIComponent(ROOT.pathname);
  return rightsOf(path.startsWith(root) ? path.slice(root.length) : path)?.world ?? "deno";
}

const plugin: Deno.lint.Plugin = {
  name: "house",
  rules: {
    "no-ambient": {
      create(context) {
        const world = worldOf(context.filename), names = NAMES[world];
        if (names.size === 0) return {};
        const own = new Set<string>();
        const used: Deno.lint.Identifier[] = [];
        const binds = (patterns: readonly unknown[]) =>
          patterns.flatMap(bound).forEach((n) => own.add(n));
        const takes = (node: { params: readonly unknown[] }) => binds(node.params);
        return {
          VariableDeclarator: (node) => binds([node.id]),
          FunctionDeclaration(node) {
            binds([node.id]);
            takes(node);
          },
          FunctionExpression: takes,
          ArrowFunctionExpression: takes,
          TSFunctionType: takes,
          TSMethodSignature: takes,
          TSCallSignatureDeclaration: takes,
          CatchClause: (node) => binds([node.param]),
          ImportSpecifier: (node) => binds([node.local]),
          ImportDefaultSpecifier: (node) => binds([node.local]),
          ImportNamespaceSpecifier: (node) => binds([node.local]),
          Identifier(node) {
            if (names.has(node.name) && !isMemberName(node as Node)) used.push(node);
          },
          MemberExpression(node) {
            if (world !== "none") return;
            const { object, property } = node;
            if (object.type !== "Identifier" || property.type !== "Identifier") return;
            const instead = INSTEAD[`${object.name}.${property.name}`];
            if (instead === undefined) return;
            const message = `${object.name}.${property.name} is ambient: use ${instead}`;
            context.report({ node, message });
          },
          NewExpression(node) {
            if (world !== "none" || node.callee.type !== "Identifier") return;
            if (node.callee.name !== "Date" || node.arguments.length > 0) return;
            context.report({ node, message: `new Date() is ambient: use ${INSTEAD["Date.now"]}` });
          },
          CallExpression(node) {
            if (world !== "none" || node.callee.type !== "Identifier") return;
            if (node.callee.name !== "Date") return;
            context.report({ node, message: `Date() is ambient: use ${INSTEAD["Date.now"]}` });
          },
          "Program:exit"() {
            for (const node of used.filter(({ name }) => !own.has(name))) {
              const message =
                `"${node.name}" is ambient: what this room needs of the world is given to it`;
              context.report({ node, message });
            }
          },
        };
      },
    },
  },
};
export default plugin;
