import type { DescMessage, Message, MessageShape } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** The field that the next build adds to its messages: an optional string. */
export const NOTE = { name: "note_of_next_build", number: 90 } as const;

/** What the next build writes there. */
export const NEXT_BUILD = "made by the next build";

/** Fills the field as the next build does, whose schema has it. */
export function fillNote<Desc extends DescMessage>(
  desc: Desc,
  message: MessageShape<Desc>,
): MessageShape<Desc> {
  const field = desc.fields.find(({ name }) => name === NOTE.name);
  if (field === undefined) {
    throw new Error(`${desc.typeName} has no ${NOTE.name} in this build`);
  }
  reflect(desc, message).set(field, NEXT_BUILD);
  return message;
}

/** The same message with the field, as a program writes it whose schema has none. */
export function withNote<Shape extends Message>(message: Shape, text: string): Shape {
  const data = new BinaryWriter().string(text).finish();
  return {
    ...message,
    $unknown: [{ no: NOTE.number, wireType: WireType.LengthDelimited, data }],
  };
}

/** The field's text, as a program finds it whose schema has none. */
export function noteIn(message: Message | undefined): string | undefined {
  const field = message?.$unknown?.find(({ no }) => no === NOTE.number);
  return field && new BinaryReader(field.data).string();
}
