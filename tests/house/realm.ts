/** A bare realm: the language, six names, and nothing else; its clock and its chance throw. */
import vm from "node:vm";

/** What the realm lacks, that V8 itself puts there, is taken away; what would be ambient says so when it is used. */
const BARE = `
delete globalThis.console;
delete globalThis.WebAssembly;
delete globalThis.queueMicrotask;
delete globalThis.SharedArrayBuffer;
delete globalThis.Temporal;
{
  // Bytes that come from the realm outside are of another Uint8Array; where a platform gives these names, they are not.
  const Outside = TextEncoder;
  globalThis.TextEncoder = class TextEncoder {
    #encoder = new Outside();
    encode(text) {
      return new Uint8Array(this.#encoder.encode(text));
    }
    encodeInto(text, into) {
      return this.#encoder.encodeInto(text, into);
    }
  };
  const ambient = (what) => () => { throw new Error(what + " was used in the bare realm"); };
  Math.random = ambient("Math.random");
  globalThis.Date = new Proxy(Date, {
    construct(target, args, self) {
      if (args.length === 0) ambient("new Date()")();
      return Reflect.construct(target, args, self === globalThis.Date ? target : self);
    },
    apply: ambient("Date()"),
    get: (target, name) => name === "now" ? ambient("Date.now") : Reflect.get(target, name),
  });
}
`;

/** Deno 2.7 falls when a realm is collected while a promise of its own still waits. */
const kept: unknown[] = [];

/** Runs a script in a realm of its own; answers its last value. */
export function inRealm(script: string): unknown {
  const realm = vm.createContext({
    TextEncoder,
    TextDecoder,
    structuredClone,
    URL,
    AbortController,
    AbortSignal,
  });
  kept.push(realm);
  vm.runInContext(BARE, realm);
  return vm.runInContext(script, realm);
}
