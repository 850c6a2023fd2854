package api_test

import (
	"context"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/standing-log/standing/internal/api"
	"github.com/standing-log/standing/internal/metric"
	"github.com/standing-log/standing/personality/reason"
	standingv1 "github.com/standing-log/standing/proto/standing/v1"
)

// TestMeasured calls every method of the service, and finds each counted.
func TestMeasured(t *testing.T) {
	s := serve(t)
	reg := prometheus.NewRegistry()
	service := api.NewMetrics(metric.New(reg)).Measured(s.service)
	p := s.Enrol("alpha", 1)
	submitted, err := service.Submit(t.Context(), &standingv1.SubmitRequest{Envelope: good(s.Node, p, 0).Leaf, Wait: true})
	s.check(err)
	id := submitted.GetResult().GetId()
	_, err = service.GetBundle(t.Context(), &standingv1.GetBundleRequest{Ids: []string{id}})
	s.check(err)

	ctx := reflect.ValueOf(context.Context(t.Context()))
	for _, m := range standingv1.Log_ServiceDesc.Methods {
		f := reflect.ValueOf(service).MethodByName(m.MethodName)
		f.Call([]reflect.Value{ctx, reflect.New(f.Type().In(1).Elem())}) // most of them refuse it
	}
	w := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	text := w.Body.String()
	for _, m := range standingv1.Log_ServiceDesc.Methods {
		if !strings.Contains(text, `standing_api_seconds_count{call="`+m.MethodName+`"}`) {
			t.Errorf("%s is not measured", m.MethodName)
		}
	}
	for _, want := range []string{
		`standing_api_calls_total{call="Submit",code="ok"} 1`, `standing_api_calls_total{call="GetLogInfo",code="ok"} 1`,
		`standing_api_calls_total{call="SubmitBatch",code="` + string(reason.RequestMalformed) + `"} 1`, "standing_bundles_total 2", "standing_bundle_bytes_total ",
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("not counted: %s", want)
		}
	}
}
