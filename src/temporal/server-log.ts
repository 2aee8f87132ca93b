import { closeSync, copyFileSync, openSync, readSync, statSync, truncateSync } from 'node:fs';

const largest = 16 * 1024 * 1024;

/** The file that an embedded server writes its output to; both outlive the process that opened it. */
export interface ServerLog {
  file: string;
  /** A descriptor to hand to a server. It appends, so that `keepSmall` may cut the file meanwhile. */
  open: () => number;
  /** Bytes so far. */
  size: () => number;
  /** The text after the first so many bytes. */
  textFrom: (start: number) => string;
  /** Past 16 MiB the text moves to `<file>.1`, in place of what was there. */
  keepSmall: () => void;
}

export const createServerLog = (file: string): ServerLog => {
  const size = () => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  return {
    file,
    open: () => openSync(file, 'a', 0o600),
    size,
    textFrom: (start) => {
      const text = Buffer.alloc(Math.max(0, size() - start));
      const source = openSync(file, 'r');
      try {
        return text.subarray(0, readSync(source, text, 0, text.length, start)).toString();
      } finally {
        closeSync(source);
      }
    },
    keepSmall: () => {
      if (size() <= largest) return;
      try {
        copyFileSync(file, `${file}.1`);
      } catch {
        // No room for two: the older text goes.
      }
      truncateSync(file);
    },
  };
};
