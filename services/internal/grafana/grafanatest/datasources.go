package grafanatest

import "maps"

func (s *Server) handleDataSources(handle handle) {
	handle("GET /api/datasources/uid/{uid}", "datasources:read", func(q *request) (int, any) {
		if d, ok := s.dataSources[q.PathValue("uid")]; ok {
			return 200, d.public
		}
		return 404, message("Data source not found")
	})
	handle("GET /api/datasources/name/{name}", "datasources:read", func(q *request) (int, any) {
		if d := s.sourceNamed(q.PathValue("name")); d != nil {
			return 200, d.public
		}
		return 404, message("Data source not found")
	})
	// The first data source becomes the default one whatever it says; the plugin need not exist.
	handle("POST /api/datasources", "datasources:create", func(q *request) (int, any) {
		uid, name := text(q.body, "uid"), text(q.body, "name")
		if s.sourceNamed(name) != nil {
			return 409, message("data source with the same name already exists")
		}
		if _, ok := s.dataSources[uid]; ok {
			return 409, message("data source with the same uid already exists")
		}
		d := &source{public: object{"id": s.id(), "uid": uid, "orgId": 1.0, "version": 1.0, "readOnly": false}, secrets: object{}}
		d.fill(q.body)
		d.public["isDefault"] = len(s.dataSources) == 0 || q.body["isDefault"] == true
		s.dataSources[uid] = d
		return 200, object{"id": d.public["id"], "message": "Datasource added", "name": name, "datasource": d.public}
	})
	// A version that is sent must be that of the data source or later, and the next one is stored; without one it becomes 1.
	handle("PUT /api/datasources/uid/{uid}", "datasources:write", func(q *request) (int, any) {
		d, ok := s.dataSources[q.PathValue("uid")]
		if !ok {
			return 404, message("Data source not found")
		}
		if d.public["readOnly"] == true { // from Grafana's source: pkg/api/datasources.go
			return 403, message("Cannot update read-only data source")
		}
		sent, _ := q.body["version"].(float64)
		if sent != 0 && sent+1 <= d.public["version"].(float64) {
			return 409, message("Datasource has already been updated by someone else. Please reload and try again")
		}
		if other := s.sourceNamed(text(q.body, "name")); other != nil && other != d {
			return 409, message("data source with the same name already exists")
		}
		d.public["version"] = max(1, sent+1)
		if sent == 0 {
			d.public["version"] = 1.0
		}
		d.fill(q.body)
		d.public["isDefault"] = q.body["isDefault"] == true
		return 200, object{"id": d.public["id"], "message": "Datasource updated", "name": d.public["name"], "datasource": d.public}
	})
	handle("DELETE /api/datasources/uid/{uid}", "datasources:delete", func(q *request) (int, any) {
		if _, ok := s.dataSources[q.PathValue("uid")]; !ok {
			return 404, message("Data source not found")
		}
		delete(s.dataSources, q.PathValue("uid"))
		return 200, object{"id": 1, "message": "Data source deleted"}
	})
	handle("GET /api/datasources/uid/{uid}/health", "datasources:query", func(q *request) (int, any) {
		d, ok := s.dataSources[q.PathValue("uid")]
		if !ok {
			return 500, message("Unable to load datasource metadata")
		}
		if d.public["type"] != "grafana-clickhouse-datasource" {
			return 404, object{"statusCode": 404, "messageId": "plugin.notRegistered", "message": "Plugin not registered"}
		}
		data, _ := d.public["jsonData"].(object)
		if s.Reach != nil && !s.Reach(data, d.secrets) { // the same whatever the reason is
			return 400, object{"message": "failed to create ClickHouse client", "status": "ERROR"}
		}
		return 200, object{"message": "Data source is working", "status": "OK"}
	})
}

// SetReadOnly makes a data source one that Grafana takes from a file of its own.
func (s *Server) SetReadOnly(uid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dataSources[uid].public["readOnly"] = true
}

func (s *Server) sourceNamed(name string) *source {
	for _, d := range s.dataSources {
		if d.public["name"] == name {
			return d
		}
	}
	return nil
}

// fill takes what was sent over. Secrets are only ever named again; those that were not sent stay.
func (d *source) fill(sent object) {
	for _, field := range []string{"name", "type", "access", "url", "user", "database"} {
		d.public[field] = text(sent, field)
	}
	d.public["jsonData"] = object{}
	if data, ok := sent["jsonData"].(object); ok {
		d.public["jsonData"] = copied(data)
	}
	if secrets, ok := sent["secureJsonData"].(object); ok {
		maps.Copy(d.secrets, secrets)
	}
	fields := object{}
	for name := range d.secrets {
		fields[name] = true
	}
	d.public["secureJsonFields"] = fields
}
