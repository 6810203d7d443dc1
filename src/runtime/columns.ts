/**
 * Parameters for statements on many rows: each column of them is one array, in
 * Postgres' binary form (`array_send` of src/backend/utils/adt/arrayfuncs.c).
 * As text, each value would be escaped here and parsed there: a quarter of the
 * time of both.
 */
export type Column<Item> = (items: readonly Item[]) => Buffer;

/** The columns of rows, as parameters in this order. */
export function columns<Item>(items: readonly Item[], ...made: readonly Column<Item>[]): Buffer[] {
  return made.map((column) => column(items));
}

/** The binary form of one value of a type. */
interface ElementType<Value> {
  /** The type's number in pg_type. */
  readonly oid: number;
  sizeOf(value: Value): number;
  write(buffer: Buffer, value: Value, offset: number): void;
}

/** Before the elements: dimensions, whether any is NULL, their type, their number, the first index. */
const HEADER_BYTES = 20;
const LENGTH_BYTES = 4;

/** The length of an element that is NULL, and has no bytes. */
const NULL_LENGTH = -1;

/** A column in which undefined stands for NULL. */
function columnWithNulls<Value>(type: ElementType<Value>) {
  return <Item>(read: (item: Item) => Value | undefined): Column<Item> =>
    (items) => {
      const values = items.map(read);
      const lengths = values.map((value) =>
        value === undefined ? NULL_LENGTH : type.sizeOf(value),
      );
      const buffer = Buffer.allocUnsafe(
        lengths.reduce((total, length) => total + LENGTH_BYTES + Math.max(length, 0), HEADER_BYTES),
      );
      let offset = buffer.writeInt32BE(1, 0);
      offset = buffer.writeInt32BE(lengths.includes(NULL_LENGTH) ? 1 : 0, offset);
      offset = buffer.writeInt32BE(type.oid, offset);
      offset = buffer.writeInt32BE(values.length, offset);
      offset = buffer.writeInt32BE(1, offset);
      values.forEach((value, index) => {
        const length = lengths[index] ?? 0;
        offset = buffer.writeInt32BE(length, offset);
        if (value !== undefined) {
          type.write(buffer, value, offset);
          offset += length;
        }
      });
      return buffer;
    };
}

/** A column without NULL. */
const columnOf = <Value>(
  type: ElementType<Value>,
): (<Item>(read: (item: Item) => Value) => Column<Item>) => columnWithNulls(type);

export const text = columnOf<string>({
  oid: 25,
  sizeOf: (value) => Buffer.byteLength(value),
  write: (buffer, value, offset) => buffer.write(value, offset),
});

/** A value as JSON. In binary its text follows the number of that form's version. */
export const jsonb = <Item>(read: (item: Item) => unknown): Column<Item> =>
  jsonbText((item) => JSON.stringify(read(item)));

const JSONB_VERSION = 1;

const jsonbText = columnOf<string>({
  oid: 3802,
  sizeOf: (value) => 1 + Buffer.byteLength(value),
  write: (buffer, value, offset) => buffer.write(value, buffer.writeUInt8(JSONB_VERSION, offset)),
});

export const bytea = columnOf<Uint8Array>({
  oid: 17,
  sizeOf: (value) => value.length,
  write: (buffer, value, offset) => buffer.set(value, offset),
});

export const bigint = columnOf<bigint>({
  oid: 20,
  sizeOf: () => 8,
  write: (buffer, value, offset) => buffer.writeBigInt64BE(value, offset),
});

export const smallint = columnOf<number>({
  oid: 21,
  sizeOf: () => 2,
  write: (buffer, value, offset) => buffer.writeInt16BE(value, offset),
});

export const float8 = columnOf<number>({
  oid: 701,
  sizeOf: () => 8,
  write: (buffer, value, offset) => buffer.writeDoubleBE(value, offset),
});

export const boolean = columnOf<boolean>({
  oid: 16,
  sizeOf: () => 1,
  write: (buffer, value, offset) => buffer.writeUInt8(value ? 1 : 0, offset),
});

/** Postgres counts microseconds from 2000-01-01, JavaScript milliseconds from 1970-01-01. */
const POSTGRES_EPOCH_MS = Date.UTC(2000, 0, 1);

const timestamps: ElementType<Date> = {
  oid: 1184,
  sizeOf: () => 8,
  write: (buffer, value, offset) =>
    buffer.writeBigInt64BE(BigInt(value.getTime() - POSTGRES_EPOCH_MS) * 1_000n, offset),
};

export const timestamptz = columnOf(timestamps);
export const timestamptzOrNull = columnWithNulls(timestamps);
