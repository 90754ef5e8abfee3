// Package grafana talks to Grafana's HTTP API. What github.com/grafana-tools/sdk does well it does: health, organisation,
// folders, search, dashboards as raw JSON, data sources by name. It does not look at statuses and panics on an error
// without a message, so it sits on a transport that lets only well-formed successes through; everything else becomes an
// [Error]. The rest (saving dashboards into a folder by its uid, data sources by uid, rule groups, contact points,
// permissions) is here.
//
// # Least rights
//
// Tried with service accounts of each basic role on Grafana 12.4.0 (open source), 2026-11-22:
//
//	Viewer  reads everything that a plan needs: --plan works, nothing can be changed
//	Editor  also folders, dashboards, alert rules, contact points and test notifications; not data sources
//	        ("Permissions needed: datasources:create"). Enough where the data source gapwatch-clickhouse is provisioned
//	        from a file of Grafana's own (it is read-only then and left as it is)
//	Admin   everything, of the organisation; being a server administrator is never needed
//
// Open-source Grafana has no custom roles. Where there are (Enterprise, Cloud), a service account without a basic role
// needs these, for all folders, dashboards and data sources or for ours: folders:read, folders:create, folders:write,
// dashboards:read, dashboards:create, dashboards:write, dashboards:delete, datasources:read, datasources:create,
// datasources:write, datasources:query, alert.rules:read, alert.rules:create, alert.rules:write, alert.rules:delete,
// alert.notifications:read, alert.notifications:write, alert.notifications.receivers:read,
// alert.notifications.receivers.test:create, alert.provisioning.provenance:write, orgs:read.
package grafana
