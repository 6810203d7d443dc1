------------------------------ MODULE Restore -------------------------------
(* The store of record is put back to a backup, once or several times. One    *)
(* key, copies of its answer outside the store, the processor, and owners     *)
(* that slept meanwhile. What happens on one database is in Payonce.tla: here *)
(* an operation begins in the commit of its claim, and always ends with its   *)
(* decision.                                                                  *)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS
  Workers,      \* calls under way, each in any process
  MaxRestores,
  MaxFaults,
  \* What the design rests on. The values in brackets are those of the product.
  Generation,   \* what a restored store takes for its generation ("random")
  NamedAt,      \* a copy is named by the generation at its claim, or when it is sent ("claim")
  ClaimIds      \* an owner's write asks for its token and its claim id (TRUE)

ASSUME Generation \in {"random", "counter", "kept"} /\ NamedAt \in {"claim", "copy"}

VARIABLES
  store,      \* what a restore puts back: the record, the sequence of tokens, the generation
  backup,     \* the store as it was
  drawn,      \* random numbers so far: claim ids, generations. None comes twice
  copies,     \* copies of answers, in Redis or in a process
  processor,  \* the decision that it remembers for the key, and how often it did it
  worker,     \* where each worker is, and what it holds
  answers,    \* history: final answers, and after how many restores they were given
  asked,      \* history: one was given since the last restore
  forgot,     \* history: the processor has forgotten the key
  foreign,    \* history: a copy was replayed of what this store has not answered
  lateWrite,  \* history: a worker has written whose claim the record does not carry
  restores,
  faults

variables == <<store, backup, drawn, copies, processor, worker, answers, asked, forgot,
               foreign, lateWrite, restores, faults>>

Decisions == {"approved", "declined"}
Ids == 1..(MaxFaults + MaxRestores + 2)

(* An answer is its decision and which claim made its bytes. *)
Answers == [decision : Decisions, id : Ids]
NoAnswer == [decision |-> "none", id |-> 0]

Absent == [state |-> "absent", token |-> 0, id |-> 0, answer |-> NoAnswer]
Idle == [phase |-> "idle", token |-> 0, id |-> 0, generation |-> 0, decision |-> "none"]

Phases == {
  "idle",
  "send",      \* has claimed and begun; its call may be on its way
  "complete",  \* has heard from the processor
  "copy"}      \* has stored the answer, or found it stored, and given it

Stores ==
  [record : [state : {"absent", "executing", "completed"}, token : 0..Cardinality(Ids),
             id : {0} \union Ids, answer : Answers \union {NoAnswer}],
   lastToken : 0..Cardinality(Ids),
   generation : 0..MaxRestores]

TypeOK ==
  /\ store \in Stores /\ backup \in Stores
  /\ drawn \in [id : {0} \union Ids, generation : 0..MaxRestores]
  /\ copies \subseteq [generation : 0..MaxRestores, answer : Answers]
  /\ processor \in [remembers : Decisions \union {"none"}, effects : 0..2]
  /\ worker \in [Workers -> [phase : Phases, token : 0..Cardinality(Ids), id : {0} \union Ids,
                             generation : 0..MaxRestores, decision : Decisions \union {"none"}]]
  /\ answers \subseteq [answer : Answers, restores : 0..MaxRestores]
  /\ {asked, forgot, foreign, lateWrite} \subseteq BOOLEAN
  /\ restores \in 0..MaxRestores
  /\ faults \in 0..MaxFaults

Init ==
  /\ store = [record |-> Absent, lastToken |-> 0, generation |-> 0]
  /\ backup = store
  /\ drawn = [id |-> 0, generation |-> 0]
  /\ copies = {}
  /\ processor = [remembers |-> "none", effects |-> 0]
  /\ worker = [w \in Workers |-> Idle]
  /\ answers = {}
  /\ asked = FALSE
  /\ forgot = FALSE
  /\ foreign = FALSE
  /\ lateWrite = FALSE
  /\ restores = 0
  /\ faults = 0

Fault == faults < MaxFaults /\ faults' = faults + 1
NoFault == UNCHANGED faults

Goes(w, phase) == worker' = [worker EXCEPT ![w].phase = phase]
Leaves(w) == worker' = [worker EXCEPT ![w] = Idle]

record == store.record

(* OWNED: what every write of an owner asks of the record. *)
Carries(w) == record.token = worker[w].token /\ (ClaimIds => record.id = worker[w].id)

Answered(answer) ==
  /\ answers' = answers \union {[answer |-> answer, restores |-> restores]}
  /\ asked' = TRUE

-----------------------------------------------------------------------------
(* Calls: idempotency/execution/executor.ts, and what it asks of the store. *)

BecomesOwner(w) ==
  /\ drawn' = [drawn EXCEPT !.id = @ + 1]
  /\ store' = [store EXCEPT
       !.lastToken = @ + 1,
       !.record = [Absent EXCEPT !.state = "executing", !.token = store.lastToken + 1,
                                 !.id = drawn'.id]]
  /\ worker' = [worker EXCEPT ![w] =
       [Idle EXCEPT !.phase = "send", !.token = store.lastToken + 1, !.id = drawn'.id,
                    !.generation = store.generation]]
  /\ UNCHANGED <<backup, copies, processor, answers, asked, forgot, foreign, lateWrite, restores>>

(* store.claim: no row was there. *)
Claim(w) ==
  /\ worker[w].phase = "idle"
  /\ record.state = "absent"
  /\ BecomesOwner(w)
  /\ NoFault

(* Past the lease. Where the owner lives, it sleeps, or cannot reach the *)
(* store.                                                                *)
TakeOver(w) ==
  /\ worker[w].phase = "idle"
  /\ record.state = "executing"
  /\ BecomesOwner(w)
  /\ IF \E v \in Workers : worker[v].id = record.id THEN Fault ELSE NoFault

(* Nothing asks the store: the owner may have slept since its claim. The key *)
(* is derived, so that the processor decides once for all of them.           *)
CallProcessor(w) ==
  /\ worker[w].phase = "send"
  /\ \E decision \in Decisions :
       /\ processor.remembers \in {"none", decision}
       /\ processor' = [remembers |-> decision,
            effects |-> IF decision = "approved" /\ processor.remembers = "none"
                          THEN processor.effects + 1 ELSE processor.effects]
       /\ worker' = [worker EXCEPT ![w].phase = "complete", ![w].decision = decision]
  /\ NoFault
  /\ UNCHANGED <<store, backup, drawn, copies, answers, asked, forgot, foreign, lateWrite,
                 restores>>

(* store.complete. It also finds what this claim has completed before. *)
Complete(w) ==
  /\ worker[w].phase = "complete"
  /\ LET answer == [decision |-> worker[w].decision, id |-> worker[w].id] IN
     CASE record.state = "executing" /\ Carries(w) ->
            /\ store' = [store EXCEPT !.record.state = "completed", !.record.answer = answer]
            /\ lateWrite' = (lateWrite \/ record.id # worker[w].id)
            /\ \/ NoFault /\ Goes(w, "copy") /\ Answered(answer)
               \/ Fault /\ UNCHANGED <<worker, answers, asked>>  \* the reply is lost; asks again
       [] record.state = "completed" /\ Carries(w) ->
            NoFault /\ Goes(w, "copy") /\ Answered(answer) /\ UNCHANGED <<store, lateWrite>>
       [] OTHER ->  \* CLAIM_LOST
            NoFault /\ Leaves(w) /\ UNCHANGED <<store, answers, asked, lateWrite>>
  /\ UNCHANGED <<backup, drawn, copies, processor, forgot, foreign, restores>>

(* The gate's `publish`, when it comes to it: after the answer is stored. *)
Copy(w) ==
  /\ worker[w].phase = "copy"
  /\ copies' = copies \union
       {[generation |-> IF NamedAt = "claim" THEN worker[w].generation ELSE store.generation,
         answer |-> [decision |-> worker[w].decision, id |-> worker[w].id]]}
  /\ Leaves(w)
  /\ NoFault
  /\ UNCHANGED <<store, backup, drawn, processor, answers, asked, forgot, foreign, lateWrite,
                 restores>>

(* store.claim answers `replay`. *)
Replay ==
  /\ record.state = "completed"
  /\ Answered(record.answer)
  /\ NoFault
  /\ UNCHANGED <<store, backup, drawn, copies, processor, worker, forgot, foreign, lateWrite,
                 restores>>

(* The gate finds a copy: the store is not asked. *)
ReplayCopy ==
  \E copy \in copies :
    /\ copy.generation = store.generation
    /\ Answered(copy.answer)
    /\ foreign' = (foreign \/ record.state # "completed" \/ record.answer # copy.answer)
    /\ NoFault
    /\ UNCHANGED <<store, backup, drawn, copies, processor, worker, forgot, lateWrite, restores>>

ExpireCopy ==
  \E copy \in copies :
    /\ copies' = copies \ {copy}
    /\ NoFault
    /\ UNCHANGED <<store, backup, drawn, processor, worker, answers, asked, forgot, foreign,
                   lateWrite, restores>>

Crash(w) ==
  /\ worker[w].phase # "idle"
  /\ Fault
  /\ Leaves(w)
  /\ UNCHANGED <<store, backup, drawn, copies, processor, answers, asked, forgot, foreign,
                 lateWrite, restores>>

-----------------------------------------------------------------------------
BackUp ==
  /\ restores = 0
  /\ backup' = store
  /\ NoFault
  /\ UNCHANGED <<store, drawn, copies, processor, worker, answers, asked, forgot, foreign,
                 lateWrite, restores>>

(* readDeployment finds another timeline, or `migrate --restored` is run, *)
(* before anybody uses the store again. All else goes on as it was.       *)
Restore ==
  /\ restores < MaxRestores /\ ~forgot
  /\ restores' = restores + 1
  /\ drawn' = [drawn EXCEPT !.generation = @ + 1]
  /\ store' = [backup EXCEPT !.generation =
       CASE Generation = "random" -> drawn'.generation
         [] Generation = "counter" -> @ + 1
         [] Generation = "kept" -> @]
  /\ asked' = FALSE
  /\ NoFault
  /\ UNCHANGED <<backup, copies, processor, worker, answers, forgot, foreign, lateWrite>>

(* The processor forgets the key. By then the call has come again, no copy *)
(* lives, and no owner is left that could send: Window.tla.                *)
Forget ==
  /\ asked /\ ~forgot
  /\ copies = {} /\ \A w \in Workers : worker[w] = Idle
  /\ forgot' = TRUE
  /\ processor' = [processor EXCEPT !.remembers = "none"]
  /\ NoFault
  /\ UNCHANGED <<store, backup, drawn, copies, worker, answers, asked, foreign, lateWrite,
                 restores>>

Next ==
  \/ \E w \in Workers :
       Claim(w) \/ TakeOver(w) \/ CallProcessor(w) \/ Complete(w) \/ Copy(w) \/ Crash(w)
  \/ Replay \/ ReplayCopy \/ ExpireCopy
  \/ BackUp \/ Restore \/ Forget

Spec == Init /\ [][Next]_variables

Symmetry == Permutations(Workers)

-----------------------------------------------------------------------------
(* I1: the processor does it at most once, if whoever called before a restore *)
(* calls again before the processor forgets the key.                          *)
AtMostOneEffect == processor.effects <= 1

(* I8: every answer has the same decision, and since a restore the same      *)
(* bytes. What a restore has lost is answered anew, so its bytes may differ. *)
AnswersAgree ==
  \A one, other \in answers :
    /\ one.answer.decision = other.answer.decision
    /\ one.restores = other.restores => one.answer = other.answer

(* A copy that is replayed is that of the answer which this store holds. *)
NoForeignCopy == ~foreign

(* An owner from before a restore changes nothing. *)
LateOwnerWritesNothing == ~lateWrite
=============================================================================
