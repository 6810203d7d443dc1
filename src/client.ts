export * from "@payonce/client";
