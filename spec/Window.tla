------------------------------- MODULE Window -------------------------------
(* The processor remembers a key for a while only. One operation, the clocks *)
(* that tell its owners whether it may still be sent, and calls that take    *)
(* their time. Leases, tokens and answers are left out: anybody goes on with *)
(* the operation at any time, sleeps as long as he likes, and never hears    *)
(* from the processor.                                                       *)
EXTENDS Integers, TLC

CONSTANTS
  Owners,       \* whoever goes on with the operation, each any number of times
  Remembers,    \* how long the processor remembers a key after its first use
  CallTakes,    \* how long a call may be on its way
  Margin,       \* by how much two clocks that are right may differ, or one jump
  Wrong,        \* by how much a clock that is wrong may be off, either way
  End,          \* when time stops
  \* What the design rests on. The values in brackets are those of the product.
  KeepsCall,    \* the window is shorter by what a call takes (TRUE)
  KeepsMargin,  \* and by the margin (TRUE)
  Clocks,       \* whose clocks tell the age ("both")
  LooksLast,    \* the age is looked at as the call is sent (TRUE)
  LateCalls,    \* "not executed" is said of what may still reach the processor (FALSE)
  RestartsFrom  \* where the window of an operation that begins again counts from ("claim")

ASSUME Clocks \in {"both", "database", "own"} /\ RestartsFrom \in {"claim", "word"}

VARIABLES
  time,       \* the true one
  operation,  \* the row of operations; `begin` is begin_time as it was noted
  owner,      \* where each owner is, and what it has read of the operation
  calls,      \* calls that are on their way to the processor
  firstUse,   \* when the processor first saw the key, as far as it remembers
  effects     \* how often the processor did it; 2 is too often

variables == <<time, operation, owner, calls, firstUse, effects>>

Never == -1

States == {
  "none",
  "begun",
  "parked",        \* its record is held
  "not executed"}  \* an operator has said so; its record is released

Phases == {
  "idle",
  "look",   \* has begun, or read what was begun; may sleep here
  "send"}   \* only where the design is broken: has looked, and may sleep here

Times == -Wrong..(End + Wrong)
Idle == [phase |-> "idle", begin |-> 0, round |-> 1]

TypeOK ==
  /\ time \in 0..End
  /\ operation \in [state : States, begin : Times, round : 1..2]
  /\ owner \in [Owners -> [phase : Phases, begin : Times, round : 1..2]]
  /\ calls \subseteq [owner : Owners, sent : 0..End]
  /\ firstUse \in {Never} \union 0..End
  /\ effects \in 0..2

Init ==
  /\ time = 0
  /\ operation = [state |-> "none", begin |-> 0, round |-> 1]
  /\ owner = [o \in Owners |-> Idle]
  /\ calls = {}
  /\ firstUse = Never
  /\ effects = 0

-----------------------------------------------------------------------------
(* The clocks, read together: the database's, and that of the process that *)
(* asks. A reading says by how much each is off just then, as either may   *)
(* jump, and another process or a promoted standby has another. One of the *)
(* two may be wrong, not both.                                             *)

Right == 0..Margin
Readings ==
  {reading \in [database : -Wrong..Wrong, own : -Wrong..Wrong] :
     reading.database \in Right \/ reading.own \in Right}

Smaller(a, b) == IF a < b THEN a ELSE b
Larger(a, b) == IF a < b THEN b ELSE a

(* By how much off a beginning may be noted, and the time it is compared *)
(* with.                                                                 *)
Noted ==
  {CASE Clocks = "both" -> Smaller(reading.database, reading.own)
     [] Clocks = "database" -> reading.database
     [] Clocks = "own" -> reading.own : reading \in Readings}
Compared ==
  {CASE Clocks = "both" -> Larger(reading.database, reading.own)
     [] Clocks = "database" -> reading.database
     [] Clocks = "own" -> reading.own : reading \in Readings}

(* keyWindowMs *)
KeyWindow ==
  Remembers - (IF KeepsCall THEN CallTakes ELSE 0) - (IF KeepsMargin THEN Margin ELSE 0)

-----------------------------------------------------------------------------
(* Owners: payments/perform.ts and postgres/begin.ts. *)

Goes(o, phase) ==
  owner' = [owner EXCEPT ![o] =
    [phase |-> phase, begin |-> operation'.begin, round |-> operation'.round]]
Leaves(o) == owner' = [owner EXCEPT ![o] = Idle]

(* `begin` of a first attempt, of one that goes on, and of one after a *)
(* resolution.                                                         *)
Begin(o) ==
  /\ owner[o].phase = "idle"
  /\ operation.state # "parked"
  /\ \E offset \in Noted :
       operation' =
         CASE operation.state = "none" ->
                [operation EXCEPT !.state = "begun", !.begin = time + offset]
           [] operation.state = "begun" -> operation
           [] operation.state = "not executed" ->
                [state |-> "begun", round |-> 2,
                 begin |-> IF RestartsFrom = "claim" THEN time + offset ELSE operation.begin]
  /\ Goes(o, "look")
  /\ UNCHANGED <<time, calls, firstUse, effects>>

Sends(o) == calls' = calls \union {[owner |-> o, sent |-> time]}

(* The age is looked at right before the call is sent, by every attempt, also *)
(* the first. Past the window the owner parks; a late one finds that it is    *)
(* fenced.                                                                    *)
Look(o) ==
  /\ owner[o].phase = "look"
  /\ \E offset \in Compared :
       IF time + offset - owner[o].begin <= KeyWindow
         THEN /\ UNCHANGED operation
              /\ IF LooksLast
                   THEN Sends(o) /\ Leaves(o)
                   ELSE owner' = [owner EXCEPT ![o].phase = "send"] /\ UNCHANGED calls
         ELSE /\ operation' = IF operation.round = owner[o].round /\ operation.state = "begun"
                                THEN [operation EXCEPT !.state = "parked"] ELSE operation
              /\ Leaves(o)
              /\ UNCHANGED calls
  /\ UNCHANGED <<time, firstUse, effects>>

(* Only where the design is broken. *)
SendLater(o) ==
  /\ owner[o].phase = "send"
  /\ Sends(o)
  /\ Leaves(o)
  /\ UNCHANGED <<time, operation, firstUse, effects>>

-----------------------------------------------------------------------------
(* ResolveKey as not executed, once. It is true when it is said; whether it *)
(* stays true depends on what is on its way, calls and owners that have     *)
(* begun.                                                                   *)
Resolve ==
  /\ operation.state = "parked" /\ operation.round = 1
  /\ effects = 0
  /\ LateCalls \/ (calls = {} /\ \A o \in Owners : owner[o] = Idle)
  /\ \E offset \in Noted :
       operation' = [operation EXCEPT !.state = "not executed", !.begin = time + offset]
  /\ UNCHANGED <<time, owner, calls, firstUse, effects>>

-----------------------------------------------------------------------------
(* The processor. It takes a key that it has forgotten for a new one. *)
Arrive(call) ==
  /\ calls' = calls \ {call}
  /\ IF firstUse = Never \/ time - firstUse > Remembers
       THEN firstUse' = time /\ effects' = Smaller(effects + 1, 2)
       ELSE UNCHANGED <<firstUse, effects>>
  /\ UNCHANGED <<time, operation, owner>>

Lose(call) ==
  /\ calls' = calls \ {call}
  /\ UNCHANGED <<time, operation, owner, firstUse, effects>>

(* By then every call has arrived, or never does. *)
Tick ==
  /\ \A call \in calls : time < call.sent + CallTakes
  /\ time' = IF time < End THEN time + 1 ELSE End
  /\ UNCHANGED <<operation, owner, calls, firstUse, effects>>

Next ==
  \/ Tick
  \/ \E call \in calls : Arrive(call) \/ Lose(call)
  \/ Resolve
  \/ \E o \in Owners : Begin(o) \/ Look(o) \/ SendLater(o)

Spec == Init /\ [][Next]_variables

Symmetry == Permutations(Owners)

-----------------------------------------------------------------------------
(* I1: the processor does it at most once. *)
AtMostOneEffect == effects <= 1
=============================================================================
