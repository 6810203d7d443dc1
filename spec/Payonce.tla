------------------------------ MODULE Payonce ------------------------------
(* One idempotency key, the service processes that are asked for it, the      *)
(* store of record and the card processor. Every behaviour with at most       *)
(* MaxFaults faults. Each action names the code that it stands for.           *)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS
  Workers,       \* calls under way, each in any process, also those of recovery
  MaxFaults,
  \* What the design rests on. The values in brackets are those of the product.
  Fenced,        \* every write of an owner asks for its token (TRUE)
  DerivedKey,    \* all attempts share one processor key (TRUE)
  Guess,         \* what an unknown outcome is taken for ("nothing")
  AnswersEarly,  \* an answer may leave before it is stored (FALSE)
  TakesOver      \* a claim past its lease is taken over (TRUE)

ASSUME Guess \in {"nothing", "not executed", "done"}

VARIABLES
  record,     \* the row of idempotency_records
  operation,  \* the state of the row of operations; "begun" is both pending and unknown
  lastToken,  \* the sequence idempotency_fencing_tokens
  worker,     \* where each worker is, and the token that it holds
  calls,      \* calls that are on their way to the processor
  journal,    \* what the processor has decided, for good
  answers,    \* history: final answers that were given
  denied,     \* history: the newest token when "not executed" was last said
  lateWrite,  \* history: an owner has written although a newer token was out
  faults      \* how many there were

variables ==
  <<record, operation, lastToken, worker, calls, journal, answers, denied, lateWrite, faults>>

Decisions == {"approved", "declined"}

(* An answer is its decision and whose attempt made its bytes. *)
Answers == [decision : Decisions, token : 1..(MaxFaults + 1)]
NoAnswer == [decision |-> "none", token |-> 0]

Absent == [state |-> "absent", token |-> 0, lease |-> FALSE, answer |-> NoAnswer]

(* Attended: its executor still waits for the handler, and heartbeats run. *)
Idle == [phase |-> "idle", token |-> 0, attended |-> TRUE]

Phases == {
  "idle",
  "claim",     \* has claimed, the reply was lost, asks again
  "begin",     \* owns the claim, its handler begins
  "send",      \* has begun
  "wait",      \* has called the processor
  "complete",  \* the operation has its decision, the executor has to store the answer
  "release",   \* nothing was begun, the executor has to free the key
  "suspend"}   \* what happened is not known

TypeOK ==
  /\ record \in [state : {"absent", "executing", "completed"}, token : 0..lastToken,
                 lease : BOOLEAN, answer : Answers \union {NoAnswer}]
  /\ operation \in {"none", "begun"} \union Decisions
  /\ lastToken \in 0..(MaxFaults + 1)
  /\ worker \in [Workers -> [phase : Phases, token : 0..lastToken, attended : BOOLEAN]]
  /\ calls \subseteq [key : 0..lastToken, token : 1..lastToken]
  /\ journal \subseteq [key : 0..lastToken, token : 1..lastToken, decision : Decisions]
  /\ answers \subseteq Answers
  /\ denied \in 0..lastToken
  /\ lateWrite \in BOOLEAN
  /\ faults \in 0..MaxFaults

Init ==
  /\ record = Absent
  /\ operation = "none"
  /\ lastToken = 0
  /\ worker = [w \in Workers |-> Idle]
  /\ calls = {}
  /\ journal = {}
  /\ answers = {}
  /\ denied = 0
  /\ lateWrite = FALSE
  /\ faults = 0

Fault == faults < MaxFaults /\ faults' = faults + 1
NoFault == UNCHANGED faults

Goes(w, phase) == worker' = [worker EXCEPT ![w].phase = phase]
Leaves(w) == worker' = [worker EXCEPT ![w] = Idle]

(* What the handler hands to its executor is lost where that has given up. *)
Hands(w, phase) == IF worker[w].attended THEN Goes(w, phase) ELSE Leaves(w)

(* OWNED AND state = 'executing': the condition of every write of an owner. *)
Owns(w) == record.state = "executing" /\ (Fenced => record.token = worker[w].token)

(* Stands beside every write of an owner that took effect. *)
Written(w) == lateWrite' = (lateWrite \/ worker[w].token # lastToken)

Answer(decision, w) == [decision |-> decision, token |-> worker[w].token]
Answered(answer) == answers' = answers \union {answer}

-----------------------------------------------------------------------------
(* Claims. The lock in Redis may be lost, granted twice or not answer: whoever *)
(* it grants goes on, any number at once, and whoever it refuses is told that  *)
(* the call is in progress and changes nothing. So a claim may come from any   *)
(* worker at any time, and nothing here waits for the lock.                    *)

BecomesOwner(w) ==
  /\ lastToken' = lastToken + 1
  /\ record' = [Absent EXCEPT !.state = "executing", !.token = lastToken', !.lease = TRUE]
  /\ \E phase \in {"begin", "claim"} :
       /\ IF phase = "begin" THEN NoFault ELSE Fault
       /\ worker' = [worker EXCEPT ![w] = [Idle EXCEPT !.phase = phase, !.token = lastToken']]
  /\ UNCHANGED <<operation, calls, journal, answers, denied, lateWrite>>

(* store.claim, the statement CLAIM: no row was there. *)
Claim(w) ==
  /\ worker[w].phase \in {"idle", "claim"}
  /\ record.state = "absent"
  /\ BecomesOwner(w)

(* CLAIM by a duplicate call, or TAKE_OVER_EXPIRED by recovery: a new token. *)
TakeOver(w) ==
  /\ TakesOver
  /\ worker[w].phase \in {"idle", "claim"}
  /\ record.state = "executing" /\ ~record.lease
  /\ BecomesOwner(w)

(* store.claim again, with the same claim id: the row's token is learned where *)
(* the row has that id. An id stands here for the token it was last given.     *)
ClaimAgain(w) ==
  /\ worker[w].phase = "claim"
  /\ record.state = "executing" /\ record.lease
  /\ IF record.token = worker[w].token
       THEN worker' = [worker EXCEPT ![w].phase = "begin", ![w].token = record.token]
       ELSE Leaves(w)
  /\ NoFault
  /\ UNCHANGED <<record, operation, lastToken, calls, journal, answers, denied, lateWrite>>

(* store.claim answers `replay`. *)
Replay(w) ==
  /\ worker[w].phase \in {"idle", "claim"}
  /\ record.state = "completed"
  /\ Answered(record.answer)
  /\ Leaves(w)
  /\ NoFault
  /\ UNCHANGED <<record, operation, lastToken, calls, journal, denied, lateWrite>>

-----------------------------------------------------------------------------
(* The lease: the store's clock, idempotency/execution/attempt.ts. *)

(* It runs out when nobody extends it; where its owner would, that is a fault: *)
(* the owner sleeps, or cannot reach the store.                                *)
ExpireLease ==
  /\ record.state = "executing" /\ record.lease
  /\ record' = [record EXCEPT !.lease = FALSE]
  /\ IF \E w \in Workers : worker[w].attended /\ worker[w].token = record.token
       THEN Fault ELSE NoFault
  /\ UNCHANGED <<operation, lastToken, worker, calls, journal, answers, denied, lateWrite>>

(* store.extend, from the heartbeat. One that finds another owner aborts the   *)
(* handler; it may come too late for that, so here the handler goes on.        *)
Extend(w) ==
  /\ worker[w].attended /\ worker[w].phase \in {"begin", "send", "wait"}
  /\ Owns(w) /\ ~record.lease
  /\ record' = [record EXCEPT !.lease = TRUE]
  /\ Written(w)
  /\ NoFault
  /\ UNCHANGED <<operation, lastToken, worker, calls, journal, answers, denied>>

(* The attempt lasts longer than maxExecutionMs: the executor suspends the     *)
(* claim and leaves. The handler does not know, and goes on.                   *)
GiveUp(w) ==
  /\ worker[w].attended /\ worker[w].phase \in {"begin", "send", "wait"}
  /\ Fault
  /\ worker' = [worker EXCEPT ![w].attended = FALSE]
  /\ IF Owns(w)
       THEN record' = [record EXCEPT !.lease = FALSE] /\ Written(w)
       ELSE UNCHANGED <<record, lateWrite>>
  /\ UNCHANGED <<operation, lastToken, calls, journal, answers, denied>>

-----------------------------------------------------------------------------
(* The handler: payments/perform.ts and postgres/steps.ts. *)

(* The transaction of `begin`, after assertOwner. *)
Begin(w) ==
  /\ worker[w].phase = "begin"
  /\ IF Owns(w)
       THEN /\ operation' = IF operation = "none" THEN "begun" ELSE operation
            /\ IF operation = "none" THEN Written(w) ELSE UNCHANGED lateWrite
            /\ \/ /\ NoFault
                  /\ IF operation' = "begun" THEN Goes(w, "send") ELSE Hands(w, "complete")
               \/ /\ Fault  \* the reply to the commit is lost
                  /\ Hands(w, "suspend")
       ELSE Leaves(w) /\ NoFault /\ UNCHANGED <<operation, lateWrite>>
  /\ UNCHANGED <<record, lastToken, calls, journal, answers, denied>>

(* `begin` throws NotExecuted: the payment is busy. Counts as a fault, so that *)
(* a key is not freed for ever.                                                *)
Refuse(w) ==
  /\ worker[w].phase = "begin"
  /\ Owns(w) /\ operation = "none"
  /\ Fault
  /\ Hands(w, "release")
  /\ UNCHANGED <<record, operation, lastToken, calls, journal, answers, denied, lateWrite>>

CallOf(w) ==
  [key |-> IF DerivedKey THEN 0 ELSE worker[w].token, token |-> worker[w].token]

(* `send`: the call is on its way. Nothing asks the store: the owner may have  *)
(* slept since it began.                                                       *)
CallProcessor(w) ==
  /\ worker[w].phase = "send"
  /\ calls' = calls \union {CallOf(w)}
  /\ Goes(w, "wait")
  /\ NoFault
  /\ UNCHANGED <<record, operation, lastToken, journal, answers, denied, lateWrite>>

(* The processor receives a call, perhaps long after its caller gave up, and   *)
(* decides once for its key. A call that never arrives just stays in `calls`.  *)
Decide(call) ==
  /\ calls' = calls \ {call}
  /\ IF \E entry \in journal : entry.key = call.key
       THEN UNCHANGED journal
       ELSE \E decision \in Decisions :
              journal' = journal \union
                {[key |-> call.key, token |-> call.token, decision |-> decision]}
  /\ NoFault
  /\ UNCHANGED <<record, operation, lastToken, worker, answers, denied, lateWrite>>

ProcessorDecides == \E call \in calls : Decide(call)

Replied(w) == worker[w].phase = "wait" /\ CallOf(w) \notin calls
DecisionFor(w) == (CHOOSE entry \in journal : entry.key = CallOf(w).key).decision

(* ProcessorUnknown: a timeout, a broken connection, an error. What markUnknown *)
(* writes decides nothing here, so it is left out.                              *)
Unknown(w) ==
  /\ worker[w].phase = "wait"
  /\ Fault
  /\ CASE Guess = "not executed" /\ ~\E entry \in journal : entry.key = CallOf(w).key ->
            Hands(w, "release") /\ UNCHANGED <<operation, lateWrite>>  \* a lookup found nothing
       [] Guess = "done" /\ Owns(w) ->
            operation' = "approved" /\ Written(w) /\ Hands(w, "complete")
       [] OTHER -> Hands(w, "suspend") /\ UNCHANGED <<operation, lateWrite>>
  /\ UNCHANGED <<record, lastToken, calls, journal, answers, denied>>

(* The transaction of `finish`, after assertOwner. An approval stores the      *)
(* answer in it (completeWithin); a decline is left to the executor.           *)
Finish(w) ==
  /\ Replied(w)
  /\ CASE ~Owns(w) -> Leaves(w) /\ NoFault /\ UNCHANGED <<record, operation, answers, lateWrite>>
       [] Owns(w) /\ operation # "begun" ->  \* the finish finds no row    
            Hands(w, "suspend") /\ NoFault /\ UNCHANGED <<record, operation, answers, lateWrite>>
       [] Owns(w) /\ operation = "begun" ->
            LET answer == Answer(DecisionFor(w), w) IN
            /\ operation' = answer.decision
            /\ Written(w)
            /\ IF answer.decision = "approved"
                 THEN record' = [record EXCEPT !.state = "completed", !.lease = FALSE,
                                               !.answer = answer]
                 ELSE UNCHANGED record
            /\ \/ /\ NoFault /\ answer.decision = "approved"
                  /\ Leaves(w)
                  /\ IF worker[w].attended THEN Answered(answer) ELSE UNCHANGED answers
               \/ /\ NoFault /\ answer.decision = "declined"
                  /\ Hands(w, "complete")
                  /\ UNCHANGED answers
               \/ /\ Fault  \* the reply to the commit is lost
                  /\ Hands(w, "suspend")
                  /\ UNCHANGED answers
  /\ UNCHANGED <<lastToken, calls, journal, denied>>

(* Only where the design is broken: the answer leaves before its commit. *)
AnswerEarly(w) ==
  /\ AnswersEarly /\ worker[w].attended /\ Replied(w)
  /\ Answered(Answer(DecisionFor(w), w))
  /\ NoFault
  /\ UNCHANGED <<record, operation, lastToken, worker, calls, journal, denied, lateWrite>>

-----------------------------------------------------------------------------
(* The executor: settle in idempotency/execution/settling.ts. *)

(* store.complete. It also finds what this claim has completed before. *)
Complete(w) ==
  /\ worker[w].phase = "complete"
  /\ LET answer == Answer(operation, w) IN
     CASE Owns(w) ->
            /\ record' = [record EXCEPT !.state = "completed", !.lease = FALSE, !.answer = answer]
            /\ Written(w)
            /\ \/ NoFault /\ Leaves(w) /\ Answered(answer)
               \/ Fault /\ UNCHANGED <<worker, answers>>  \* the reply is lost; asks again
       [] record.state = "completed" /\ (Fenced => record.token = worker[w].token) ->
            NoFault /\ Leaves(w) /\ Answered(answer) /\ UNCHANGED <<record, lateWrite>>
       [] OTHER ->  \* CLAIM_LOST
            NoFault /\ Leaves(w) /\ UNCHANGED <<record, answers, lateWrite>>
  /\ UNCHANGED <<operation, lastToken, calls, journal, denied>>

(* store.release. *)
Release(w) ==
  /\ worker[w].phase = "release"
  /\ IF Owns(w)
       THEN /\ record' = Absent
            /\ denied' = lastToken
            /\ Written(w)
            /\ \/ NoFault /\ Leaves(w)
               \/ Fault /\ UNCHANGED worker  \* the reply is lost; asks again
       ELSE NoFault /\ Leaves(w) /\ UNCHANGED <<record, denied, lateWrite>>  \* CLAIM_LOST
  /\ UNCHANGED <<operation, lastToken, calls, journal, answers>>

(* store.suspend with `rerun`: no answer; the claim may be taken over. *)
Suspend(w) ==
  /\ worker[w].phase = "suspend"
  /\ IF Owns(w)
       THEN record' = [record EXCEPT !.lease = FALSE] /\ Written(w)
       ELSE UNCHANGED <<record, lateWrite>>
  /\ Leaves(w)
  /\ NoFault
  /\ UNCHANGED <<operation, lastToken, calls, journal, answers, denied>>

-----------------------------------------------------------------------------
(* kill -9, or a store that stays away for longer than it is asked again. *)
Crash(w) ==
  /\ worker[w].phase # "idle"
  /\ Fault
  /\ Leaves(w)
  /\ UNCHANGED <<record, operation, lastToken, calls, journal, answers, denied, lateWrite>>

(* A transaction is rolled back, or never begins: the handler fails. *)
RollBack(w) ==
  /\ worker[w].phase = "begin" \/ Replied(w)
  /\ Fault
  /\ Hands(w, "suspend")
  /\ UNCHANGED <<record, operation, lastToken, calls, journal, answers, denied, lateWrite>>

(* What a worker does on its own once it is asked. *)
Run(w) ==
  \/ worker[w].phase = "claim" /\ (Claim(w) \/ TakeOver(w) \/ Replay(w))
  \/ ClaimAgain(w) \/ Begin(w) \/ CallProcessor(w) \/ Finish(w)
  \/ Complete(w) \/ Release(w) \/ Suspend(w)

Next ==
  \/ ExpireLease
  \/ ProcessorDecides
  \/ \E w \in Workers :
       \/ Claim(w) \/ TakeOver(w) \/ Replay(w) \/ Extend(w)
       \/ Run(w) \/ Refuse(w) \/ Unknown(w)
       \/ AnswerEarly(w)
       \/ GiveUp(w) \/ RollBack(w) \/ Crash(w)

(* Recovery looks again and again, in whichever process lives; leases run out; *)
(* workers that were not killed go on; and the processor gets to a call that   *)
(* somebody waits for. Nothing is asked of faults, nor of clients.             *)
Fairness ==
  /\ WF_variables(\E w \in Workers : TakeOver(w))
  /\ WF_variables(ExpireLease)
  /\ \A w \in Workers :
       /\ WF_variables(Run(w))
       /\ WF_variables(worker[w].phase = "wait" /\ CallOf(w) \in calls /\ Decide(CallOf(w)))

Spec == Init /\ [][Next]_variables
FairSpec == Spec /\ Fairness

Symmetry == Permutations(Workers)

-----------------------------------------------------------------------------
Effects == {entry \in journal : entry.decision = "approved"}

(* I1: the processor does it at most once. *)
AtMostOneEffect == Cardinality(Effects) <= 1

(* I1: an answer that says so means exactly one effect; a decline means none. *)
AcknowledgedEffect ==
  \A answer \in answers :
    Cardinality(Effects) = IF answer.decision = "approved" THEN 1 ELSE 0

(* After "not executed" no attempt that was made before has, or ever gets, an *)
(* effect.                                                                    *)
NoFalseNotExecuted == \A effect \in Effects : effect.token > denied

(* I8: whoever asks gets the same decision and the same bytes. *)
AnswersAgree == Cardinality(answers) <= 1

(* An owner that slept changes neither the record nor the operation. *)
LateOwnerWritesNothing == ~lateWrite

(* I15: no key is wedged. *)
NoStuckKey == record.state = "executing" ~> record.state # "executing"
=============================================================================
