// npm run proto:image: makes the protos as they are now the ones that later ones are compared with.
import { buildImage, IMAGE } from "./lib/proto.mjs";
import { mustRun } from "./lib/run.mjs";

mustRun(...buildImage(IMAGE));
