// Package collect moves events from JetStream to ClickHouse, each at least once and with nothing ever dropped: what
// cannot be stored becomes a dead letter with a reason.
//
// What happens to a batch, in this order, so that it may be cut off anywhere and done again:
//
//  1. fetch and decode;
//  2. insert the rows into prevention.events (a row that is inserted again replaces itself);
//  3. publish the dead letters and have them confirmed (published again, they are duplicates);
//  4. write what became of every message into prevention.handled;
//  5. remove from the stream what looks like an NHS number;
//  6. acknowledge, each message for itself.
//
// A row that ClickHouse refuses while it stores no other takes none of these steps: its message comes again until it is known
// whether the fault is the row's, which makes a dead letter, or the table's, which stops the collector. What became a dead
// letter stays one, also where its message is delivered again and could be stored by then.
//
// A batch belongs to one goroutine from fetch to acknowledgement. Two such owners take turns, so that one fetches and
// decodes while the other one inserts. Any number of collectors may share the stream.
package collect
