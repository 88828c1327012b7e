/** Tests that need a part of the machine (an engine, a browser, a binary): skipped with the reason where it is missing, failing where everything must be there. */

type Body = (t: Deno.TestContext) => void | Promise<void>;

/**
 * Gives a `Deno.test` for tests that need a part.
 * @param missing why the part is not to be had here; undefined if it is there
 * @param complete whether the machine must have every part (by default: when `CI` is `true`)
 * @param test what declares a test
 */
export function needs(
  missing: string | undefined,
  complete = Deno.env.get("CI") === "true",
  test: (definition: Deno.TestDefinition) => void = (definition) => Deno.test(definition),
): (name: string, fn: Body) => void {
  if (missing === undefined) return (name, fn) => test({ name, fn });
  if (complete) {
    const fn = () => Promise.reject(new Error(`Everything must be here, but: ${missing}`));
    return (name) => test({ name, fn });
  }
  // The reporter prints names and nothing else of an ignored test, so the reason is in the name.
  return (name, fn) => test({ name: `${name} (skipped: ${missing})`, ignore: true, fn });
}
