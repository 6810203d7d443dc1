import type { Scope } from "../../src/idempotency/port/scope.js";
import type { Claim } from "../../src/idempotency/port/store.js";
import { nameOf } from "./calls.js";

/** One record, from its insertion until its key was free again, if ever. */
export interface RecordLife {
  readonly scope: Scope;
  readonly fingerprint: Claim["fingerprint"];
  readonly bornAtMs: number;
  /** In their order. */
  readonly owners: Pick<Claim, "fencingToken" | "claimId">[];
  /** Free for its own request, which then is a first one. */
  isReopened: boolean;
  /** An operator has ended it once: it keeps its request, whatever becomes of it. */
  isResolved: boolean;
  completion?: { readonly token: bigint; readonly content: string };
  released?: { readonly atMs: number; readonly generation: number };
}

/** An answer that was durable until a restore. */
export interface LostAnswer {
  readonly content: string;
  /** Of the database that had it. */
  readonly generation: number;
}

/** What a backup of the database means for the records that are in it. */
export interface LivesBackup {
  readonly lives: ReadonlyMap<string, readonly RecordLife[]>;
  readonly highestToken: bigint;
}

/** The records that keys had and have, also those that a restore has lost. */
export interface Lives {
  /** Those of the database as it is, in their order. */
  of(scope: Scope): readonly RecordLife[];
  add(life: RecordLife): void;
  /** The last one, if its key is not free again. */
  openOf(scope: Scope): RecordLife | undefined;
  /** All that there ever were. One that a restore has put back is there once more. */
  ever(scope: Scope): readonly RecordLife[];
  lostAnswers(scope: Scope): readonly LostAnswer[];
  /** How often the database was restored. */
  generation(): number;
  backUp(): LivesBackup;
  putBack(backup: LivesBackup): void;
  /** Of the database as it is; a restore puts it back. */
  highestToken: bigint;
}

export function createLives(): Lives {
  let lives = new Map<string, RecordLife[]>();
  const ever = new Map<string, RecordLife[]>();
  const lost = new Map<string, LostAnswer[]>();
  let generation = 0;

  const self: Lives = {
    of: (scope) => lives.get(nameOf(scope)) ?? [],
    add(life) {
      const name = nameOf(life.scope);
      append(lives, name, life);
      append(ever, name, life);
    },
    openOf(scope) {
      const life = self.of(scope).at(-1);
      return life?.released === undefined ? life : undefined;
    },
    ever: (scope) => ever.get(nameOf(scope)) ?? [],
    lostAnswers: (scope) => lost.get(nameOf(scope)) ?? [],
    generation: () => generation,
    backUp: () => structuredClone({ lives, highestToken: self.highestToken }),
    putBack(backup) {
      for (const [name, were] of lives) {
        const kept = backup.lives.get(name)?.map(({ completion }) => completion?.content) ?? [];
        for (const { completion } of were) {
          if (completion !== undefined && !kept.includes(completion.content)) {
            append(lost, name, { content: completion.content, generation });
          }
        }
      }
      const copy = structuredClone(backup);
      lives = new Map();
      for (const [name, were] of copy.lives) {
        lives.set(name, [...were]);
        for (const life of were) {
          append(ever, name, life);
        }
      }
      self.highestToken = copy.highestToken;
      generation += 1;
    },
    highestToken: 0n,
  };
  return self;
}

function append<Value>(map: Map<string, Value[]>, name: string, value: Value): void {
  const values = map.get(name) ?? [];
  values.push(value);
  map.set(name, values);
}
