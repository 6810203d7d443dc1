------------------------------ MODULE Resolve -------------------------------
(* One idempotency key that is sent with different requests, an operation   *)
(* that is parked, and an operator who ends it. Leases and lost replies are *)
(* in Payonce.tla, why an operation is parked in Window.tla: here its owner *)
(* may park it whenever it would send.                                      *)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS
  Workers,         \* calls under way, each in any process, recovery and operators among them
  Requests,        \* what the key is sent with; each reserves an amount of its own
  MaxFaults,
  \* What the design rests on. The values in brackets are those of the product.
  KeepsRequest,    \* a release keeps the fingerprint if the operation ever began (TRUE)
  LooksAtRequest,  \* `begin` goes on only with the operation of the same request (TRUE)
  EndsOperation,   \* not executed ends the operation, in the commit of its release (TRUE)
  SameKey,         \* what begins again has the processor key that it had (TRUE)
  Fenced,          \* every write of an owner asks for its token (TRUE)
  LateCalls,       \* "not executed" is said of what may still reach the processor (FALSE)
  Resolves         \* somebody resolves what is held (TRUE)

VARIABLES
  record,     \* the row of idempotency_records
  operation,  \* the row of operations; "begun" is both pending and unknown
  reserved,   \* requests whose amounts are reserved on their payments
  lastToken,  \* the sequence idempotency_fencing_tokens
  worker,     \* where each worker is, and what it holds
  calls,      \* calls that are on their way to the processor
  journal,    \* what the processor has decided for the key
  answers,    \* history: final answers, to which request and of which
  denied,     \* history: the newest token when "not executed" was last said
  lateWrite,  \* history: an owner has written although a newer token was out
  faults      \* how many there were

variables == <<record, operation, reserved, lastToken, worker, calls, journal, answers, denied,
               lateWrite, faults>>

Decisions == {"approved", "declined"}
NoRequest == "none"
Tokens == 0..(3 * MaxFaults + 1)

(* What is stored: the decision, the request it was made for, whose attempt *)
(* made it.                                                                 *)
Outcomes == [decision : Decisions, of : Requests, token : Tokens]
NoOutcome == [decision |-> "none", of |-> NoRequest, token |-> 0]

Absent == [state |-> "absent", request |-> NoRequest, token |-> 0, outcome |-> NoOutcome]
Idle == [phase |-> "idle", token |-> 0, request |-> NoRequest, key |-> 0, word |-> "none"]

Phases == {
  "idle",
  "begin",     \* owns the claim, its handler begins
  "send",      \* has begun; may sleep here for long
  "wait",      \* has called the processor
  "complete",  \* the operation has its decision, the executor has to store the answer
  "release",   \* nothing was begun, the executor has to free the key
  "resolve"}   \* an operator has taken over, with his word

TypeOK ==
  /\ record \in [state : {"absent", "executing", "held", "released", "completed"},
                 request : Requests \union {NoRequest}, token : 0..lastToken,
                 outcome : Outcomes \union {NoOutcome}]
  /\ operation \in [state : {"none", "begun", "not executed"} \union Decisions,
                    request : Requests \union {NoRequest}, key : Tokens]
  /\ reserved \subseteq Requests
  /\ lastToken \in Tokens
  /\ worker \in [Workers -> [phase : Phases, token : 0..lastToken,
                             request : Requests \union {NoRequest}, key : Tokens,
                             word : Decisions \union {"none", "not executed"}]]
  /\ calls \subseteq [key : Tokens, by : Requests, for : Requests, token : 1..lastToken]
  /\ \A entry \in journal : entry.decision \in Decisions
  /\ answers \subseteq [to : Requests, outcome : Outcomes]
  /\ denied \in 0..lastToken
  /\ lateWrite \in BOOLEAN
  /\ faults \in 0..MaxFaults

Init ==
  /\ record = Absent
  /\ operation = [state |-> "none", request |-> NoRequest, key |-> 0]
  /\ reserved = {}
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

(* OWNED AND state = 'executing': the condition of every write of an owner. *)
Owns(w) == record.state = "executing" /\ (Fenced => record.token = worker[w].token)

(* Stands beside every write of an owner that took effect. *)
Written(w) == lateWrite' = (lateWrite \/ worker[w].token # lastToken)

Answered(request, outcome) == answers' = answers \union {[to |-> request, outcome |-> outcome]}

-----------------------------------------------------------------------------
(* Claims. *)

BecomesOwner(w, request, phase, word) ==
  /\ lastToken' = lastToken + 1
  /\ record' = [Absent EXCEPT !.state = "executing", !.request = request, !.token = lastToken']
  /\ worker' = [worker EXCEPT ![w] =
       [Idle EXCEPT !.phase = phase, !.token = lastToken', !.request = request, !.word = word]]
  /\ UNCHANGED <<operation, reserved, calls, journal, answers, denied, lateWrite>>

(* store.claim: no row was there, or one that was released, of the same       *)
(* request. Another request finds a mismatch, here and below, and nothing     *)
(* happens. To claim what another's operation began for counts as a fault, so *)
(* that a key is not freed for ever.                                          *)
Claim(w, request) ==
  /\ worker[w].phase = "idle"
  /\ record.state = "absent" \/ (record.state = "released" /\ record.request = request)
  /\ BecomesOwner(w, request, "begin", "none")
  /\ IF operation.request \in {NoRequest, request} THEN NoFault ELSE Fault

(* Past the lease. Where the owner lives, it sleeps, or cannot reach the *)
(* store.                                                                *)
TakeOver(w) ==
  /\ worker[w].phase = "idle"
  /\ record.state = "executing"
  /\ BecomesOwner(w, record.request, "begin", "none")
  /\ IF \E v \in Workers : worker[v].token = record.token THEN Fault ELSE NoFault

(* store.claim answers `replay`. *)
Replay(request) ==
  /\ record.state = "completed" /\ record.request = request
  /\ Answered(request, record.outcome)
  /\ NoFault
  /\ UNCHANGED <<record, operation, reserved, lastToken, worker, calls, journal, denied, lateWrite>>

-----------------------------------------------------------------------------
(* The handler: payments/perform.ts, postgres/begin.ts and postgres/finish.ts. *)

Begins(w, request, key) ==
  /\ operation' = [state |-> "begun", request |-> request, key |-> key]
  /\ reserved' = reserved \union {request}
  /\ Written(w)
Sends(w) == worker' = [worker EXCEPT ![w].phase = "send", ![w].key = operation'.key]
Frees == reserved' = reserved \ {operation.request}

(* IDEMPOTENCY_KEY_REUSED: the key's operation began for another request. *)
Reused(w) ==
  LooksAtRequest /\ operation.state # "none" /\ operation.request # worker[w].request

(* The transaction of `begin`, after assertOwner. It goes on with what has    *)
(* begun, and what was resolved as not executed begins again, as what it was. *)
Begin(w) ==
  /\ worker[w].phase = "begin"
  /\ CASE ~Owns(w) ->
            Leaves(w) /\ UNCHANGED <<operation, reserved, lateWrite>>
       [] Owns(w) /\ Reused(w) ->
            Goes(w, "release") /\ UNCHANGED <<operation, reserved, lateWrite>>
       [] Owns(w) /\ ~Reused(w) /\ operation.state = "none" ->
            Begins(w, worker[w].request, 0) /\ Sends(w)
       [] Owns(w) /\ ~Reused(w) /\ operation.state = "not executed" ->
            /\ Begins(w, operation.request,
                      IF SameKey THEN operation.key ELSE operation.key + 1)
            /\ Sends(w)
       [] Owns(w) /\ ~Reused(w) /\ operation.state = "begun" ->
            UNCHANGED <<operation, reserved, lateWrite>> /\ Sends(w)
       [] Owns(w) /\ ~Reused(w) /\ operation.state \in Decisions ->
            Goes(w, "complete") /\ UNCHANGED <<operation, reserved, lateWrite>>
  /\ NoFault
  /\ UNCHANGED <<record, lastToken, calls, journal, answers, denied>>

(* `begin` throws NotExecuted: the payment is busy, also for what would begin *)
(* again. Counts as a fault, so that a key is not freed for ever.             *)
Refuse(w) ==
  /\ worker[w].phase = "begin"
  /\ Owns(w) /\ operation.state \in {"none", "not executed"} /\ ~Reused(w)
  /\ Fault
  /\ Goes(w, "release")
  /\ UNCHANGED <<record, operation, reserved, lastToken, calls, journal, answers, denied,
                 lateWrite>>

(* `begin` throws Final: what the payment is does not admit it, or does not *)
(* any more. To whoever asks it is an answer like a decline.                *)
RefuseForGood(w) ==
  /\ worker[w].phase = "begin"
  /\ Owns(w) /\ operation.state \in {"none", "not executed"} /\ ~Reused(w)
  /\ LET outcome == [decision |-> "declined", of |-> worker[w].request,
                     token |-> worker[w].token] IN
     /\ record' = [record EXCEPT !.state = "completed", !.outcome = outcome]
     /\ Answered(worker[w].request, outcome)
  /\ Written(w)
  /\ Leaves(w)
  /\ NoFault
  /\ UNCHANGED <<operation, reserved, lastToken, calls, journal, denied>>

(* Past the processor's window the owner throws Parked; counts as a fault. *)
Park(w) ==
  /\ worker[w].phase = "send"
  /\ Fault
  /\ IF Owns(w)
       THEN record' = [record EXCEPT !.state = "held"] /\ Written(w)
       ELSE UNCHANGED <<record, lateWrite>>
  /\ Leaves(w)
  /\ UNCHANGED <<operation, reserved, lastToken, calls, journal, answers, denied>>

CallOf(w) == [key |-> worker[w].key, by |-> worker[w].request, for |-> operation.request,
              token |-> worker[w].token]

(* Nothing asks the store: the owner may have slept since it began. An    *)
(* operation never changes its request, so the call is what the owner has *)
(* read.                                                                  *)
CallProcessor(w) ==
  /\ worker[w].phase = "send"
  /\ calls' = calls \union {CallOf(w)}
  /\ Goes(w, "wait")
  /\ NoFault
  /\ UNCHANGED <<record, operation, reserved, lastToken, journal, answers, denied, lateWrite>>

(* The processor decides once for a key, which all attempts share. A call *)
(* that never arrives just stays in `calls`.                              *)
Decide(call) ==
  /\ calls' = calls \ {call}
  /\ IF \E entry \in journal : entry.call.key = call.key
       THEN UNCHANGED journal
       ELSE \E decision \in Decisions :
              journal' = journal \union {[call |-> call, decision |-> decision]}
  /\ NoFault
  /\ UNCHANGED <<record, operation, reserved, lastToken, worker, answers, denied, lateWrite>>

ProcessorDecides == \E call \in calls : Decide(call)

(* Stores a decision, the processor's or an operator's, after assertOwner. An *)
(* approval stores the answer with it; a decline is left to the executor.     *)
Settles(w, decision) ==
  LET outcome == [decision |-> decision, of |-> operation.request, token |-> worker[w].token] IN
  /\ operation' = [operation EXCEPT !.state = decision]
  /\ Frees
  /\ Written(w)
  /\ IF decision = "approved"
       THEN /\ record' = [record EXCEPT !.state = "completed", !.outcome = outcome]
            /\ Answered(worker[w].request, outcome)
            /\ Leaves(w)
       ELSE Goes(w, "complete") /\ UNCHANGED <<record, answers>>

(* `finish`, once the processor has replied to this worker. *)
Finish(w) ==
  /\ worker[w].phase = "wait" /\ CallOf(w) \notin calls
  /\ IF Owns(w) /\ operation.state = "begun"
       THEN \E entry \in journal :
              entry.call.key = worker[w].key /\ Settles(w, entry.decision)
       ELSE Leaves(w) /\ UNCHANGED <<record, operation, reserved, answers, lateWrite>>
  /\ NoFault
  /\ UNCHANGED <<lastToken, calls, journal, denied>>

-----------------------------------------------------------------------------
(* The executor: settle in idempotency/execution/settling.ts. *)

(* store.complete *)
Complete(w) ==
  /\ worker[w].phase = "complete"
  /\ LET outcome == [decision |-> operation.state, of |-> operation.request,
                     token |-> worker[w].token] IN
     IF Owns(w)
       THEN /\ record' = [record EXCEPT !.state = "completed", !.outcome = outcome]
            /\ Answered(worker[w].request, outcome)
            /\ Written(w)
       ELSE UNCHANGED <<record, answers, lateWrite>>  \* CLAIM_LOST
  /\ Leaves(w)
  /\ NoFault
  /\ UNCHANGED <<operation, reserved, lastToken, calls, journal, denied>>

(* The record of a request whose operation ever began is kept; else nothing *)
(* is left.                                                                 *)
Released ==
  IF KeepsRequest /\ operation.request = record.request
    THEN [record EXCEPT !.state = "released"] ELSE Absent

(* store.release *)
Release(w) ==
  /\ worker[w].phase = "release"
  /\ IF Owns(w)
       THEN record' = Released /\ denied' = lastToken /\ Written(w)
       ELSE UNCHANGED <<record, denied, lateWrite>>  \* CLAIM_LOST
  /\ Leaves(w)
  /\ NoFault
  /\ UNCHANGED <<operation, reserved, lastToken, calls, journal, answers>>

(* kill -9, or nothing is heard of the processor: the claim runs out. *)
Crash(w) ==
  /\ worker[w].phase # "idle"
  /\ Fault
  /\ Leaves(w)
  /\ UNCHANGED <<record, operation, reserved, lastToken, calls, journal, answers, denied,
                 lateWrite>>

-----------------------------------------------------------------------------
(* ResolveKey: server/resolution.ts. *)

Quiet == calls = {} /\ \A w \in Workers : worker[w].phase # "send"

(* store.reclaim. The operator's word is true as he gives it. Whether it      *)
(* stays true where the processor did nothing depends on what may still reach *)
(* it; an operator who does not wait for that counts as a fault.              *)
Resolve(w) ==
  /\ Resolves
  /\ worker[w].phase = "idle"
  /\ record.state = "held"
  /\ \E word \in IF journal = {} THEN {"not executed", "declined"}
                                 ELSE {entry.decision : entry \in journal} :
       BecomesOwner(w, record.request, "resolve", word)
  /\ IF journal # {} \/ Quiet THEN NoFault ELSE LateCalls /\ Fault

(* The operation runs again with the operator in the place of the processor.  *)
(* Not executed ends it, frees what it had reserved, and releases the record, *)
(* in one commit.                                                             *)
End(w) ==
  /\ worker[w].phase = "resolve"
  /\ CASE ~Owns(w) \/ operation.state # "begun" ->
            /\ Leaves(w)
            /\ UNCHANGED <<record, operation, reserved, answers, denied, lateWrite>>
       [] OTHER ->
            IF worker[w].word = "not executed"
              THEN /\ IF EndsOperation
                        THEN operation' = [operation EXCEPT !.state = "not executed"] /\ Frees
                        ELSE UNCHANGED <<operation, reserved>>
                   /\ record' = Released
                   /\ denied' = lastToken
                   /\ Written(w)
                   /\ Leaves(w)
                   /\ UNCHANGED answers
              ELSE Settles(w, worker[w].word) /\ UNCHANGED denied
  /\ NoFault
  /\ UNCHANGED <<lastToken, calls, journal>>

-----------------------------------------------------------------------------
(* What a worker does on its own once it is asked. *)
Run(w) ==
  Begin(w) \/ CallProcessor(w) \/ Finish(w) \/ Complete(w) \/ Release(w) \/ End(w)

Next ==
  \/ ProcessorDecides
  \/ \E w \in Workers :
       \/ \E request \in Requests : Claim(w, request)
       \/ TakeOver(w) \/ Resolve(w) \/ Run(w) \/ Park(w) \/ Crash(w)
       \/ Refuse(w) \/ RefuseForGood(w)
  \/ \E request \in Requests : Replay(request)

(* As in Payonce.tla; and there is an operator, who waits until calls have *)
(* arrived.                                                                *)
Fairness ==
  /\ WF_variables(\E w \in Workers : TakeOver(w))
  /\ WF_variables(\E w \in Workers : Resolve(w))
  /\ WF_variables(ProcessorDecides)
  /\ \A w \in Workers : WF_variables(Run(w))

Spec == Init /\ [][Next]_variables
FairSpec == Spec /\ Fairness

Symmetry == Permutations(Workers) \union Permutations(Requests)

-----------------------------------------------------------------------------
Effects == {entry \in journal : entry.decision = "approved"}

(* I1: the processor does it at most once. *)
AtMostOneEffect == Cardinality(Effects) <= 1

(* I1: an approval means exactly one effect, a decline none. *)
AcknowledgedEffect ==
  \A answer \in answers :
    Cardinality(Effects) = IF answer.outcome.decision = "approved" THEN 1 ELSE 0

(* After "not executed" no attempt that was made before has, or ever gets, an *)
(* effect.                                                                    *)
NoFalseNotExecuted == \A effect \in Effects : effect.call.token > denied

(* I7: a key stands for the request that its operation began for. No other *)
(* has an effect, asks for one, or gets its answer.                        *)
OneFingerprint ==
  /\ \A effect \in Effects : {effect.call.by, effect.call.for} = {operation.request}
  /\ \A answer \in answers : answer.to = answer.outcome.of

(* I8: whoever asks gets the same decision and the same bytes. *)
AnswersAgree == Cardinality({answer.outcome : answer \in answers}) <= 1

(* I3: what is reserved is that of an operation which is begun, and a record *)
(* stands for it that somebody executes or will resolve.                     *)
ReservationHasOwner ==
  /\ reserved = IF operation.state = "begun" THEN {operation.request} ELSE {}
  /\ reserved # {} => record.state \in {"executing", "held"} /\ reserved = {record.request}

(* An owner that slept changes neither the record nor the operation. *)
LateOwnerWritesNothing == ~lateWrite

(* I15: no key is wedged, and an operator ends what is held. *)
NoStuckKey == record.state = "executing" ~> record.state # "executing"
HeldKeyEnds == record.state = "held" ~> record.state # "held"
=============================================================================
