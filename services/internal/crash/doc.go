// Package crash holds the tests in which collectors, aggregators, NATS and the engine are cut off while events flow, and
// after which every number must be the true one. It has nothing but tests.
package crash
