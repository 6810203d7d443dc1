import { execFile } from "node:child_process";
import { chown, stat } from "node:fs/promises";
import { userInfo } from "node:os";
import { basename } from "node:path";
import { promisify } from "node:util";
import { type Command, reasonIn } from "./server-process.js";

const execute = promisify(execFile);

/** Accounts without privileges, the best first: Postgres's own, and one that every Debian has. */
const ACCOUNTS: readonly string[] = ["postgres", "nobody"];

/** The account under which Postgres's programs run, and which owns the database's files. */
export interface PostgresUser {
  /** For a sentence, where it is not the user of this process. */
  readonly name?: string;
  command(file: string, args: readonly string[]): Command;
  /** Gives one file, or one folder without what is in it, to the user. */
  own(path: string): Promise<void>;
}

export interface FindPostgresUserOptions {
  /** A program and a folder that the user must be able to reach. */
  readonly program: string;
  readonly directory: string;
  /** The database's files, where there are some: their owner is the user. */
  readonly data?: string;
  /** Of these the first that there is owns new files. */
  readonly accounts?: readonly string[];
}

/**
 * Finds the user that Postgres runs as: the one of this process, or, since
 * Postgres refuses to run as root, an account without privileges.
 * @throws when the service runs as root and no way is found to run Postgres as another user
 */
export async function findPostgresUser(options: FindPostgresUserOptions): Promise<PostgresUser> {
  if (userInfo().uid !== 0) {
    return { command: (file, args) => ({ file, args }), own: async () => {} };
  }
  const owner = await ownerOf(options.data);
  // Files that are there have their account; only root's, and new ones, need one to be found.
  const hasAccount = owner !== undefined && owner.uid !== 0;
  const account = hasAccount ? owner : await findAccount(options.accounts ?? ACCOUNTS);
  for (const user of candidates(owner, account)) {
    if (await canReach(user, options)) {
      return user;
    }
  }
  throw new Error(
    `DATA_DIR: started by root, ${reason(owner, account, options)}, or set DATABASE_URL`,
  );
}

interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

function candidates(owner: Account | undefined, account: Account): readonly PostgresUser[] {
  if (owner === undefined) {
    return [ordinaryUser(account), rootUnderAnotherName(account)];
  }
  return [owner.uid === 0 ? rootUnderAnotherName(account) : ordinaryUser(account)];
}

function reason(
  owner: Account | undefined,
  account: Account,
  { program, directory, data }: FindPostgresUserOptions,
): string {
  if (owner?.uid === 0) {
    return (
      `the embedded Postgres cannot use its files in ${data}, which belong to root. ` +
      `Give them to another user (chown -R ${account.name} ${data})`
    );
  }
  return (
    `the embedded Postgres runs as ${account.name}, who can reach only folders that ` +
    `every user may enter. It needs ${directory} and ${program}. Start the service as an ordinary ` +
    "user, or move it and DATA_DIR to such a folder"
  );
}

function ordinaryUser({ name, uid, gid }: Account): PostgresUser {
  return {
    name,
    command: (file, args) => ({ file, args, uid, gid }),
    own: (path) => chown(path, uid, gid),
  };
}

/**
 * For a service or a DATA_DIR below a folder that only root may enter, such as
 * /root or a private temporary folder. In a user namespace (Linux) Postgres sees
 * itself as the ordinary user; outside it is root without any of root's
 * capabilities, the plain owner of its files.
 */
function rootUnderAnotherName({ name, uid, gid }: Account): PostgresUser {
  return {
    name: `${name} in a user namespace, without root's privileges`,
    command: (file, args) => ({
      file: "unshare",
      args: ["--user", `--map-user=${uid}`, `--map-group=${gid}`, "--", file, ...args],
    }),
    own: async () => {}, // root made it
  };
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

/** Undefined where there is nothing to own. */
async function ownerOf(path: string | undefined): Promise<Account | undefined> {
  if (path === undefined) {
    return undefined;
  }
  try {
    const { uid, gid } = await stat(path);
    return { name: `the owner of its files (user id ${uid})`, uid, gid };
  } catch {
    return undefined;
  }
}

async function findAccount(names: readonly string[]): Promise<Account> {
  for (const name of names) {
    try {
      return { name, uid: await idOf("-u", name), gid: await idOf("-g", name) };
    } catch {} // there is no such account
  }
  throw new Error(
    `DATA_DIR: started by root, the embedded Postgres runs as ${names.join(" or ")}, and this ` +
      "machine has no such account. Start the service as an ordinary user, or set DATABASE_URL",
  );
}

async function idOf(option: "-u" | "-g", name: string): Promise<number> {
  return Number((await execute("id", [option, name])).stdout);
}
