import { type FileHandle, open } from "node:fs/promises";

/** An append-only text file whose lines are on disk once `append` resolves. */
export interface LineFile {
  /** After a rejection the end of the file is not known: append nothing more. */
  append(lines: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

export interface LineFileOptions {
  readonly path: string;
  /** Receives every line that is there already. What it throws stops the opening. */
  readonly onLine: (line: string) => void;
  readonly log: (line: string) => void;
}

const NEWLINE = 0x0a;

/**
 * Opens or creates the file. A last line without its newline was never
 * acknowledged (a crash cut the write short), so it is cut off.
 *
 * @throws naming the file and the line that `onLine` refuses.
 */
export async function openLineFile(options: LineFileOptions): Promise<LineFile> {
  const handle = await open(options.path, "a+");
  try {
    await restore(handle, options);
  } catch (error) {
    await handle.close();
    throw error;
  }
  return {
    async append(lines) {
      if (lines.length > 0) {
        await handle.appendFile(`${lines.join("\n")}\n`);
        await handle.datasync();
      }
    },
    close: () => handle.close(),
  };
}

async function restore(handle: FileHandle, { path, onLine, log }: LineFileOptions): Promise<void> {
  let lineNumber = 0;
  let tail: Buffer = Buffer.alloc(0);
  let fileBytes = 0;
  // A stream, because a long-lived journal passes the size of one buffer.
  for await (const chunk of handle.createReadStream({ start: 0, autoClose: false })) {
    const bytes: Buffer = Buffer.concat([tail, chunk]);
    fileBytes += bytes.length - tail.length;
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      lineNumber += 1;
      try {
        onLine(bytes.toString("utf8", start, end));
      } catch (error) {
        throw new Error(`${path}, line ${lineNumber} is not understood: ${String(error)}`, {
          cause: error,
        });
      }
      start = end + 1;
    }
    tail = bytes.subarray(start);
  }
  if (tail.length > 0) {
    log(`${path}: cut off ${tail.length} bytes of a last line that was never finished`);
    await handle.truncate(fileBytes - tail.length);
  }
  await handle.sync();
}
