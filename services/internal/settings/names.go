package settings

// Name is an environment variable and what it sets.
type Name struct {
	Name, Meaning string
}

// Names is every variable that any service knows. A service refuses to start while a GAPWATCH_ variable is set that is
// not here, so that a mistyped one does not go unnoticed; all services share one list, so that they can share one file
// of settings.
var Names = []Name{
	{"GAPWATCH_NATS_URL", "where NATS is: nats://host:4222, several separated by commas"},
	{"GAPWATCH_NATS_CREDENTIALS", "path of a NATS .creds file"},
	{"GAPWATCH_NATS_CA", "path of a PEM file with the authorities that NATS's certificate is checked against"},
	{"GAPWATCH_NATS_CERTIFICATE", "path of the client certificate for NATS (PEM)"},
	{"GAPWATCH_NATS_KEY", "path of its key (PEM)"},
	{"GAPWATCH_STREAM_MAX_AGE", "how long an event stays in the stream"},
	{"GAPWATCH_STREAM_MAX_BYTES", "size at which publishing events is refused, -1 for no limit"},
	{"GAPWATCH_STREAM_DEAD_LETTER_BYTES", "size at which dead letters are refused and collectors stop, -1 for no limit"},
	{"GAPWATCH_STREAM_GAP_BYTES", "size at which verdicts are refused and wait, -1 for no limit"},
	{"GAPWATCH_STREAM_REPLICAS", "copies of each stream in a NATS cluster: 1, 3 or 5"},
	{"GAPWATCH_CLICKHOUSE_URL", "where ClickHouse is: http://user:password@host:8123 or https://..."},
	{"GAPWATCH_CLICKHOUSE_CA", "path of a PEM file with the authorities that ClickHouse's certificate is checked against"},
	{"GAPWATCH_PROGRAMMES", "path of the programme file; empty for the built-in one"},
	{"GAPWATCH_METRICS_LISTEN", "host:port for metrics and health"},
	{"GAPWATCH_LOG", "text or json"},
	{"GAPWATCH_LOG_LEVEL", "debug, info, warn or error"},
	{"GAPWATCH_COLLECTOR_BATCH", "rows of an insert at most"},
	{"GAPWATCH_COLLECTOR_MAX_AGE", "how long an event waits for its batch to fill"},
	{"GAPWATCH_COLLECTOR_COLLECTORS", "how many collectors share the stream"},
	{"GAPWATCH_COLLECTOR_INSERT_TIMEOUT", "how long one insert may take before it is tried again"},
	{"GAPWATCH_COLLECTOR_FLUSH_TIMEOUT", "how long handing acknowledgements to NATS may take"},
	{"GAPWATCH_COLLECTOR_STOP_TIMEOUT", "how long the batch in hand may take when the collector is told to stop"},
	{"GAPWATCH_AGGREGATOR_INTERVAL", "shortest time between the starts of two roll-ups"},
	{"GAPWATCH_AGGREGATOR_SHARE", "share of the time that roll-ups may take, over 0 to 1"},
	{"GAPWATCH_AGGREGATOR_THREADS", "ClickHouse threads that a full recompute may use"},
	{"GAPWATCH_AGGREGATOR_BACKLOG", "new messages from which on a roll-up reads everybody and not only those concerned"},
	{"GAPWATCH_AGGREGATOR_AUDIT_EVERY", "time between two audits, 0 for none"},
	{"GAPWATCH_GAP_INTERVAL", "shortest time between two looks at what follows from new counts: measures, verdicts"},
	{"GAPWATCH_GAP_SHARE", "share of the time that this may take, over 0 to 1"},
	{"GAPWATCH_GAP_SETTLE", "for how long the counts of complete days must have stayed within 1 % before they are judged, 0 for not at all"},
	{"GAPWATCH_EVENT_SOURCE", "URI of this deployment: the source of the verdicts that it publishes"},
	{"GAPWATCH_DISCLOSURE", "which counts may be shown: nhs-england, or none for all of them"},
	{"GAPWATCH_NATIONAL_COVERAGE", "whether all of England sends its events: only then there are figures of England"},
	{"GAPWATCH_INTAKE_LISTEN", "host:port that senders find intake on"},
	{"GAPWATCH_INTAKE_SENDERS", "path of the senders' file: who may send what, with which tokens and limits"},
	{"GAPWATCH_INTAKE_TLS_CERTIFICATE", "path of the certificate (PEM) that senders see; without it and the key there is no TLS"},
	{"GAPWATCH_INTAKE_TLS_KEY", "path of its key (PEM)"},
	{"GAPWATCH_INTAKE_CONCURRENT", "requests that intake has in hand at once, of all senders together"},
	{"GAPWATCH_INTAKE_STOP_TIMEOUT", "how long the requests in hand may take when intake is told to stop"},
	{"GAPWATCH_PSEUDONYM_KEYS", "the keys that pseudonyms and names of records are made with (YAML: record, current, previous)"},
	{"GAPWATCH_PSEUDONYM_KEYS_FILE", "instead of them, the path of a file that holds them"},
	{"GAPWATCH_POSTCODES", "path of the look-up from postcode to LSOA (CSV: ONSPD, NSPL, or postcode,lsoa)"},
	{"GAPWATCH_MAPPING", "folder of the tables from codes to programmes; empty for the built-in ones"},
	{"GAPWATCH_GRAFANA_URL", "where Grafana is: http://host:3000; user:password@ in it where there is no token"},
	{"GAPWATCH_GRAFANA_TOKEN", "token of a service account of Grafana with the role Admin of the organisation"},
	{"GAPWATCH_GRAFANA_CA", "path of a PEM file with the authorities that Grafana's certificate is checked against"},
	{"GAPWATCH_GRAFANA_CLICKHOUSE_URL", "where Grafana finds ClickHouse, and its user that may read the database reporting only: http://user:password@host:8123, https://, clickhouse:// or clickhouses:// (native, with TLS)"},
	{"GAPWATCH_GRAFANA_PUBLIC_URL", "where people find Grafana, for links in alerts; empty for what Grafana takes itself to be"},
	{"GAPWATCH_GRAFANA_EVERY", "time between two looks at whether Grafana is as wanted"},
	{"GAPWATCH_RUNBOOK_URL", "where people find deploy/RUNBOOK.md, for links in alerts"},
	{"GAPWATCH_ALERT_WEBHOOK", "address that alerts are sent to: https://host/path"},
	{"GAPWATCH_ALERT_RECEIVER", "instead of a webhook, the name of a contact point that Grafana has already"},
	{"GAPWATCH_DATA", "folder that standalone keeps its data in"},
	{"GAPWATCH_NATS_LISTEN", "host:port on loopback that standalone's own NATS listens on"},
	{"GAPWATCH_NATS_SYNC_ALWAYS", "whether standalone's own NATS writes every event to disk before it confirms it"},
	{"GAPWATCH_CLICKHOUSE_LISTEN", "host:port on loopback that standalone's own ClickHouse engine listens on"},
	{"GAPWATCH_ENGINE_LISTEN", "host:port on loopback that services/engine listens on"},
	{"GAPWATCH_ENGINE_DATA", "folder that services/engine keeps its data in"},
	{"GAPWATCH_SIMULATOR_SEED", "what everything simulated follows from"},
	{"GAPWATCH_SIMULATOR_PEOPLE", "how many people to simulate, up to 4,000,000"},
	{"GAPWATCH_SIMULATOR_REFERENCE", "folder to write the reference files of the simulation into"},
	{"GAPWATCH_SIMULATOR_TRUTH", "CSV file to write what must come out into"},
	{"GAPWATCH_SIMULATOR_MARK", "file that keeps which history was published, so that another start goes on with it"},
	{"GAPWATCH_SIMULATOR_SERIES", "published series to replay instead"},
	{"GAPWATCH_SIMULATOR_PROGRAMME", "which programme of that series"},
	{"GAPWATCH_SIMULATOR_RATE", "messages of history to publish a second, 0 for as many as possible"},
	{"GAPWATCH_SIMULATOR_LIVE", "messages to publish a second when history is in, 0 for none"},
	{"GAPWATCH_REAL_DATA", "folder of real data for tests"},
	{"GAPWATCH_TEST_GRAFANA", "a real Grafana for tests: http://admin:password@host:3000"},
}

// Known tells whether some service knows the variable.
func Known(name string) bool {
	for _, n := range Names {
		if n.Name == name {
			return true
		}
	}
	return false
}
