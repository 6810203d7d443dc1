import { ScalarType } from "@bufbuild/protobuf";
import { type BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** The encoding of values of one scalar type. */
export interface Scalar {
  readonly wireType: WireType;
  /** Takes a value in the type that reflection has for it; writes no tag. */
  readonly write: (writer: BinaryWriter, value: never) => void;
}

// Quiet and positive, with no payload: the NaN that most runtimes make.
const NAN_64 = 0x7ff8_0000_0000_0000n;
const NAN_32 = 0x7fc0_0000;

/** Every scalar type. An enum is an INT32. */
export const scalars: Readonly<Record<ScalarType, Scalar>> = {
  [ScalarType.DOUBLE]: bit64((writer, value: number) =>
    Number.isNaN(value) ? writer.fixed64(NAN_64) : writer.double(value),
  ),
  [ScalarType.FLOAT]: bit32((writer, value: number) =>
    Number.isNaN(value) ? writer.fixed32(NAN_32) : writer.float(value),
  ),
  [ScalarType.INT32]: varint((writer, value) => writer.int32(value)),
  [ScalarType.INT64]: varint((writer, value) => writer.int64(value)),
  [ScalarType.UINT32]: varint((writer, value) => writer.uint32(value)),
  [ScalarType.UINT64]: varint((writer, value) => writer.uint64(value)),
  [ScalarType.SINT32]: varint((writer, value) => writer.sint32(value)),
  [ScalarType.SINT64]: varint((writer, value) => writer.sint64(value)),
  [ScalarType.BOOL]: varint((writer, value) => writer.bool(value)),
  [ScalarType.FIXED32]: bit32((writer, value) => writer.fixed32(value)),
  [ScalarType.SFIXED32]: bit32((writer, value) => writer.sfixed32(value)),
  [ScalarType.FIXED64]: bit64((writer, value) => writer.fixed64(value)),
  [ScalarType.SFIXED64]: bit64((writer, value) => writer.sfixed64(value)),
  [ScalarType.STRING]: lengthDelimited((writer, value) => writer.string(value)),
  [ScalarType.BYTES]: lengthDelimited((writer, value) => writer.bytes(value)),
};

function varint(write: Scalar["write"]): Scalar {
  return { wireType: WireType.Varint, write };
}

function bit32(write: Scalar["write"]): Scalar {
  return { wireType: WireType.Bit32, write };
}

function bit64(write: Scalar["write"]): Scalar {
  return { wireType: WireType.Bit64, write };
}

function lengthDelimited(write: Scalar["write"]): Scalar {
  return { wireType: WireType.LengthDelimited, write };
}
