import { execFile } from "node:child_process";
import { userInfo } from "node:os";
import { basename } from "node:path";
import { promisify } from "node:util";
import { type Command, reasonIn } from "./server-process.js";

const execute = promisify(execFile);

/** Postgres refuses to run as root, and runs as this user instead, as Debian's does. */
const USER_NAME = "postgres";

/** How Postgres's programs run, and whose the database's files are. */
export interface PostgresUser {
  command(file: string, args: readonly string[]): Command;
  /** Gives a file, or a folder with all in it, to the user. */
  own(path: string): Promise<void>;
}

export interface FindPostgresUserOptions {
  /** A program and a folder that the user must be able to reach. */
  readonly program: string;
  readonly directory: string;
}

/** @throws when the service runs as root and no way is found to run Postgres as another user */
export async function findPostgresUser(options: FindPostgresUserOptions): Promise<PostgresUser> {
  if (userInfo().uid !== 0) {
    return { command: (file, args) => ({ file, args }), own: async () => {} };
  }
  const ids = await findOrCreateUser();
  for (const user of [ordinaryUser(ids), rootUnderAnotherName(ids)]) {
    if (await canReach(user, options)) return user;
  }
  throw new Error(
    "DATA_DIR: started by root, the embedded Postgres runs as the user " +
      `"${USER_NAME}", who can reach only folders that every user may enter. ` +
      `It needs ${options.directory} and ${options.program}. Start the service as an ordinary ` +
      "user, or move it and DATA_DIR to such a folder, or set DATABASE_URL",
  );
}

interface UserIds {
  readonly uid: number;
  readonly gid: number;
}

function ordinaryUser(ids: UserIds): PostgresUser {
  return {
    command: (file, args) => ({ file, args, ...ids }),
    own: (path) => changeOwner(path, ids),
  };
}

/**
 * For a service or a DATA_DIR below a folder that only root may enter, such as
 * /root or a private temporary folder. In a user namespace (Linux) Postgres sees
 * itself as the ordinary user; outside it is root without any of root's
 * capabilities, the plain owner of its files.
 */
function rootUnderAnotherName({ uid, gid }: UserIds): PostgresUser {
  return {
    command: (file, args) => ({
      file: "unshare",
      args: ["--user", `--map-user=${uid}`, `--map-group=${gid}`, "--", file, ...args],
    }),
    own: (path) => changeOwner(path, { uid: 0, gid: 0 }),
  };
}

async function changeOwner(path: string, { uid, gid }: UserIds): Promise<void> {
  await execute("chown", ["-R", `${uid}:${gid}`, path]);
}

async function canReach(
  { command }: PostgresUser,
  { program, directory }: FindPostgresUserOptions,
): Promise<boolean> {
  try {
    await run(command(program, ["--version"]));
    await run(command("test", ["-x", directory]));
    return true;
  } catch {
    return false; // the program could not be run, or said no
  }
}

/** Runs a program to its end. @throws with the reason among its output when it fails. */
export async function run({ file, args, ...ids }: Command): Promise<void> {
  try {
    await execute(file, args, { ...ids, env: { LC_ALL: "C", TZ: "UTC" } });
  } catch (error) {
    const output = error instanceof Error && "stderr" in error ? String(error.stderr) : "";
    throw new Error(`${basename(file)} failed: ${reasonIn(output.split("\n")) ?? error}`, {
      cause: error,
    });
  }
}

async function findOrCreateUser(): Promise<UserIds> {
  try {
    return await findUser();
  } catch {
    try {
      await execute("useradd", ["--system", "--user-group", "--no-create-home", USER_NAME]);
      return await findUser();
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message.split("\n", 1)[0] : cause;
      throw new Error(
        `DATA_DIR: started by root, the embedded Postgres runs as the user "${USER_NAME}", who ` +
          `cannot be found or made (${reason}). Start the service as an ordinary user, or set DATABASE_URL`,
        { cause },
      );
    }
  }
}

async function findUser(): Promise<UserIds> {
  const [uid, gid] = await Promise.all(
    ["-u", "-g"].map(async (option) => Number((await execute("id", [option, USER_NAME])).stdout)),
  );
  if (uid === undefined || gid === undefined) throw new Error(`No user "${USER_NAME}"`);
  return { uid, gid };
}
