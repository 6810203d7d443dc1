------------------------------- MODULE Order --------------------------------
(* Three calls on one payment, each of which needs what the one before it     *)
(* did: a creation, a capture, a refund. The store of record is put back to a *)
(* backup, and the calls come again in any order. What one call goes through  *)
(* is in Payonce.tla and Restore.tla: here owners are fenced, and each call   *)
(* has its derived processor key.                                             *)
EXTENDS Naturals, FiniteSets

CONSTANTS
  MaxRestores,
  \* What the design rests on. The values in brackets are those of the product.
  NotFinal,  \* which refusals are not final once there was a restore ("every one")
  Notices    \* the service knows that its store was restored (TRUE)

ASSUME NotFinal \in {"every one", "not found", "none"}

VARIABLES
  store,     \* what a restore puts back: how far each write is
  backup,    \* the store as it was
  calls,     \* calls that are on their way to the processor, and when they were sent
  effects,   \* the calls by which the processor did what it did
  refusals,  \* history: what was refused for good, and when
  restores   \* how many there were; "when" is after how many

variables == <<store, backup, calls, effects, refusals, restores>>

Writes == {"create", "capture", "refund"}
Before(write) == CASE write = "capture" -> "create" [] write = "refund" -> "capture"

States == {"none", "begun", "done", "refused"}

TypeOK ==
  /\ {store, backup} \subseteq [Writes -> States]
  /\ {calls, effects, refusals} \subseteq SUBSET [write : Writes, restores : 0..MaxRestores]
  /\ restores \in 0..MaxRestores

Init ==
  /\ store = [write \in Writes |-> "none"]
  /\ backup = store
  /\ calls = {}
  /\ effects = {}
  /\ refusals = {}
  /\ restores = 0

Is(write, state) == store' = [store EXCEPT ![write] = state]
Now(write) == [write |-> write, restores |-> restores]

-----------------------------------------------------------------------------
(* payments/admission.ts: the payment as the store knows it admits the write. *)
Admitted(write) == IF write = "create" THEN TRUE ELSE store[Before(write)] = "done"

(* There is a payment, and its creation is under way: PAYMENT_BUSY, nothing *)
(* is stored.                                                               *)
Busy == store["create"] = "begun"

(* The store may have lost what would admit the write, and the processor *)
(* still knows it.                                                       *)
MayHaveLost ==
  /\ Notices /\ restores > 0
  /\ CASE NotFinal = "every one" -> TRUE
       [] NotFinal = "not found" -> store["create"] = "none"
       [] NotFinal = "none" -> FALSE

(* `begin`, and its call on its way. A call that was begun before is sent *)
(* again.                                                                 *)
Begin(write) ==
  /\ \/ store[write] = "none" /\ Admitted(write) /\ Is(write, "begun")
     \/ store[write] = "begun" /\ UNCHANGED store
  /\ calls' = calls \union {Now(write)}
  /\ UNCHANGED <<backup, effects, refusals, restores>>

(* `begin` throws Final. Where it may not, the caller is told to ask again, *)
(* nothing is stored, and so nothing happens here.                          *)
Refuse(write) ==
  /\ store[write] = "none" /\ ~Admitted(write) /\ ~Busy
  /\ ~MayHaveLost
  /\ Is(write, "refused")
  /\ refusals' = refusals \union {Now(write)}
  /\ UNCHANGED <<backup, calls, effects, restores>>

(* The processor does each write once; a call that repeats it changes *)
(* nothing. Here it declines nothing.                                 *)
Arrive(call) ==
  /\ calls' = calls \ {call}
  /\ effects' = IF \E effect \in effects : effect.write = call.write
                  THEN effects ELSE effects \union {call}
  /\ UNCHANGED <<store, backup, refusals, restores>>

(* `finish`, after its own call was answered. *)
Finish(write) ==
  /\ store[write] = "begun"
  /\ \E effect \in effects : effect.write = write
  /\ Is(write, "done")
  /\ UNCHANGED <<backup, calls, effects, refusals, restores>>

(* store.claim answers `replay`. *)
Replay(write) ==
  /\ store[write] \in {"done", "refused"}
  /\ refusals' = IF store[write] = "refused" THEN refusals \union {Now(write)} ELSE refusals
  /\ UNCHANGED <<store, backup, calls, effects, restores>>

BackUp ==
  /\ restores = 0
  /\ backup' = store
  /\ UNCHANGED <<store, calls, effects, refusals, restores>>

Restore ==
  /\ restores < MaxRestores
  /\ restores' = restores + 1
  /\ store' = backup
  /\ UNCHANGED <<backup, calls, effects, refusals>>

Next ==
  \/ \E write \in Writes : Begin(write) \/ Refuse(write) \/ Finish(write) \/ Replay(write)
  \/ \E call \in calls : Arrive(call)
  \/ BackUp \/ Restore

(* Callers repeat every call until they have its answer, also after a         *)
(* restore, and calls that are repeated arrive. Nothing is asked of restores. *)
Fairness ==
  \A write \in Writes :
    /\ WF_variables(Begin(write))
    /\ WF_variables(Refuse(write))
    /\ WF_variables(Finish(write))
    /\ WF_variables(\E call \in calls : call.write = write /\ Arrive(call))

Spec == Init /\ [][Next]_variables
FairSpec == Spec /\ Fairness

-----------------------------------------------------------------------------
(* Nobody is told for good that a write was refused that the processor did,  *)
(* or ever does for a call that was sent until then. A refusal itself may be *)
(* lost like all else: the write may begin after another restore.            *)
NoFalseRefusal ==
  \A refusal \in refusals : \A effect \in effects :
    refusal.write = effect.write => effect.restores > refusal.restores

(* What the processor did is known again in the end. *)
EveryEffectIsKnown ==
  \A write \in Writes :
    (\E effect \in effects : effect.write = write) ~> store[write] = "done"
=============================================================================
