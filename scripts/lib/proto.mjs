import { projectPath } from "./run.mjs";

/** What the protos were when it was last built; later ones are compared with it. */
export const IMAGE = projectPath("proto", "image.binpb");

/** The command that builds the image. Comments are left out: a new one is no new contract. */
export function buildImage(output) {
  return ["buf", "build", "proto", "--exclude-source-info", "--output", output];
}
