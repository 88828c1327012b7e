/** Ways to spoil files on purpose, so that a law can be shown to bite. */
import { type Code, FileError } from "../../../src/fs/error.ts";
import type {
  Entry,
  FileHandle,
  FileService,
  Mode,
  OpenOptions,
  Page,
  Stat,
} from "../../../src/fs/file.ts";

export type Spoil = (files: FileService) => FileService;

/** Its name, the ids of the laws that it breaks, and how. */
export type Broken = readonly [string, string, () => Spoil];

export interface Use {
  readonly path: string;
  readonly mode: Mode;
  readonly options: OpenOptions;
  readonly files: FileService;
}

/** Spoils what `open` gives, in one mode or in all. */
export function handles(
  mode: Mode | "any",
  spoil: (handle: FileHandle, use: Use) => Partial<FileHandle>,
): Spoil {
  return (files) => ({
    ...files,
    async open(path, opened, options = {}) {
      const handle = await files.open(path, opened, options);
      if (mode !== "any" && mode !== opened) return handle;
      return { ...handle, ...spoil(handle, { path, mode: opened, options, files }) };
    },
  });
}

/** Spoils every path before it is used. */
export function paths(spoil: (path: string) => string): Spoil {
  return (files) => ({
    open: (path, mode, options) => files.open(spoil(path), mode, options),
    stat: (path) => files.stat(spoil(path)),
    list: (path, page) => files.list(spoil(path), page),
    remove: (path, options) => files.remove(spoil(path), options),
  });
}

/** Spoils the options of `open`. */
export function options(spoil: (options: OpenOptions, mode: Mode) => OpenOptions): Spoil {
  return (files) => ({
    ...files,
    open: (path, mode, options = {}) => files.open(path, mode, spoil(options, mode)),
  });
}

/** Loses some options, in one mode or in all. */
export function forgets(mode: Mode | "any", ...names: (keyof OpenOptions)[]): Spoil {
  const kept = (options: OpenOptions) =>
    Object.fromEntries(
      Object.entries(options).filter(([name]) => !names.includes(name as keyof OpenOptions)),
    );
  return options((options, opened) => mode === "any" || mode === opened ? kept(options) : options);
}

/** Spoils listings. */
export function lists(spoil: (entries: Entry[], path: string, page: Page) => Entry[]): Spoil {
  return (files) => ({
    ...files,
    list: async (path, page = {}) => spoil(await files.list(path, page), path, page),
  });
}

/** Spoils stats. */
export function stats(spoil: (stat: Stat, path: string) => Stat): Spoil {
  return (files) => ({ ...files, stat: async (path) => spoil(await files.stat(path), path) });
}

/** Spoils errors. */
export function errors(spoil: (error: FileError) => FileError): Spoil {
  async function told<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      throw spoil(error as FileError);
    }
  }
  return (files) => ({
    open: (path, mode, options) => told(() => files.open(path, mode, options)),
    stat: (path) => told(() => files.stat(path)),
    list: (path, page) => told(() => files.list(path, page)),
    remove: (path, options) => told(() => files.remove(path, options)),
  });
}

/** Another code than the right one. */
export function instead(code: Code, wrong: Code): Spoil {
  return errors((error) =>
    error.code === code ? new FileError(wrong, error.op, error.path) : error
  );
}
