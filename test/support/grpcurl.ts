import {
  type CommandResult,
  createGoTool,
  GO_BUILD_LIMIT_MS,
  GO_TOOLS_FOLDER,
  runCommand,
} from "./go-tool.js";

export { type CommandResult, runCommand };

/** Where grpcurl is kept. */
export const GRPCURL_FOLDER = GO_TOOLS_FOLDER;

export const GRPCURL_BUILD_LIMIT_MS = GO_BUILD_LIMIT_MS;

/** A call hangs only if the server is broken. */
const CALL_LIMIT_MS = 20_000;

const tool = createGoTool("grpcurl", "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4");

/** Whether grpcurl is there or can be built here. */
export const grpcurlAvailable = tool.isAvailable;

/**
 * Runs the real grpcurl, and builds it if this is the first time: a test file
 * calls it once in `beforeAll` with GRPCURL_BUILD_LIMIT_MS.
 */
export async function grpcurl(args: readonly string[]): Promise<CommandResult> {
  return runCommand({ command: await tool.find(), args, limitMs: CALL_LIMIT_MS });
}
