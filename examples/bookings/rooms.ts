import type { Pool, PoolClient } from "pg";
import { Code, Final } from "../../src/index.js";
import type { Migration } from "../../src/stores/postgres/index.js";

export interface Booking {
  readonly id: string;
  readonly room: string;
  readonly night: string;
  readonly guest: string;
}

export const bookingMigrations: readonly Migration[] = [
  {
    name: "bookings/0001-bookings",
    sql: `
CREATE TABLE bookings (
  id        text    PRIMARY KEY,
  room      text    NOT NULL,
  night     text    NOT NULL,
  guest     text    NOT NULL,
  confirmed boolean NOT NULL DEFAULT false,
  UNIQUE (room, night)
);
`,
  },
];

/** Takes the room for the night; nothing changes if this booking has it already. */
export async function reserve(
  transaction: PoolClient,
  { id, room, night, guest }: Booking,
): Promise<void> {
  await transaction.query(
    `INSERT INTO bookings (id, room, night, guest) VALUES ($1, $2, $3, $4)
     ON CONFLICT DO NOTHING`,
    [id, room, night, guest],
  );
  const { rows } = await transaction.query<{ id: string }>(
    "SELECT id FROM bookings WHERE room = $1 AND night = $2",
    [room, night],
  );
  if (rows[0]?.id !== id) {
    throw new Final({
      code: Code.FAILED_PRECONDITION,
      reason: "ROOM_TAKEN",
      message: `room ${room} is taken on ${night}`,
      next: "fix_request",
    });
  }
}

export async function confirm(transaction: PoolClient, id: string): Promise<void> {
  await transaction.query("UPDATE bookings SET confirmed = true WHERE id = $1", [id]);
}

export async function free(transaction: PoolClient, id: string): Promise<void> {
  await transaction.query("DELETE FROM bookings WHERE id = $1 AND NOT confirmed", [id]);
}

export async function listConfirmed(pool: Pool): Promise<Booking[]> {
  const { rows } = await pool.query<Booking>(
    "SELECT id, room, night, guest FROM bookings WHERE confirmed ORDER BY night, room",
  );
  return rows;
}
