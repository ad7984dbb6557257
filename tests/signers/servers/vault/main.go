// The transit engine of HashiCorp Vault, the real one, behind a small HTTP front of ours: Vault's own server brings a
// hundred times as much code, of which signing uses nothing.
//
// It prints one line of JSON with its address, and ends when its standard input is closed. Keys are made by clients, as
// with Vault: POST /v1/transit/keys/NAME {"type": "rsa-2048"}. The token is `root`; `reader` may read and not sign.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/hashicorp/vault/builtin/logical/transit"
	"github.com/hashicorp/vault/sdk/logical"
)

const mount = "/v1/transit/"

type front struct {
	engine  logical.Backend
	storage logical.Storage
}

func fail(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"errors": []string{message}})
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	token := r.Header.Get("X-Vault-Token")
	signs := strings.HasPrefix(r.URL.Path, mount+"sign/")
	if token != "root" && !(token == "reader" && !signs) {
		fail(w, http.StatusForbidden, "permission denied")
		return
	}
	if !strings.HasPrefix(r.URL.Path, mount) {
		fail(w, http.StatusNotFound, "no handler for route")
		return
	}
	data := map[string]any{}
	operation := logical.Operation(logical.ReadOperation)
	if r.Method == http.MethodPost || r.Method == http.MethodPut {
		operation = logical.UpdateOperation
		body, _ := io.ReadAll(r.Body)
		if len(body) > 0 && json.Unmarshal(body, &data) != nil {
			fail(w, http.StatusBadRequest, "error parsing JSON")
			return
		}
	}
	request := &logical.Request{
		Operation: operation,
		Path:      strings.TrimPrefix(r.URL.Path, mount),
		Data:      data,
		Storage:   f.storage,
	}
	answer, err := f.engine.HandleRequest(r.Context(), request)
	// What Vault's own server answers to errors.
	status, err := logical.RespondErrorCommon(request, answer, err)
	switch {
	case err != nil:
		if status == 0 {
			status = http.StatusInternalServerError
		}
		fail(w, status, err.Error())
	case status == http.StatusNotFound:
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]any{"errors": []string{}})
	case answer == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		json.NewEncoder(w).Encode(map[string]any{"data": answer.Data})
	}
}

func main() {
	storage := &logical.InmemStorage{}
	config := &logical.BackendConfig{StorageView: storage, System: &logical.StaticSystemView{}}
	engine, err := transit.Factory(context.Background(), config)
	if err != nil {
		panic(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Printf("{\"address\": %q}\n", listener.Addr().String())
	panic(http.Serve(listener, &front{engine, storage}))
}
