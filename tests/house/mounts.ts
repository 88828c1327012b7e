/** One file a mount: the files of src/services/, the mount table and the listing of an agent say the same names. */

/** Files of the room that are no mount, each with its reason. */
export const NO_MOUNT: Readonly<Record<string, string>> = {
  "mod": "the mount table itself",
};

/**
 * Names that one side has and the other lacks, as sentences.
 * @param names file names of `src/services/` without their ending
 * @param mounts paths of the mount table, as `/status`
 * @param listing entries of an agent's `/`
 */
export function unlike(
  names: readonly string[],
  mounts: readonly string[],
  listing: readonly string[],
): string[] {
  const table = mounts.map((path) => path.slice(1));
  const files = names.filter((name) => !(name in NO_MOUNT));
  const lacks = (those: readonly string[], these: readonly string[]) =>
    those.filter((name) => !these.includes(name));
  const RULE = "ls src/services is the mount table is ls of an agent";
  return [
    ...lacks(files, table).map((name) => `src/services/${name}.ts is not mounted: ${RULE}`),
    ...lacks(table, files).map((name) => `/${name} has no file src/services/${name}.ts: ${RULE}`),
    ...lacks(listing, table).map((name) => `/${name} is in no mount table: ${RULE}`),
    ...lacks(table, listing).map((name) => `/${name} is not in an agent's listing: ${RULE}`),
  ];
}
