// Command jwks serves one document on one route with Go's net/http, over HTTP and over HTTPS, with the headers of
// kraut-oidc-proxy: an answer from memory, 304 for the ETag that it has, and nothing else.
package main

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
)

func main() {
	httpAddress := flag.String("http", "", "address of the HTTP port")
	httpsAddress := flag.String("https", "", "address of the HTTPS port")
	certificate := flag.String("cert", "", "PEM certificate")
	key := flag.String("key", "", "PEM private key")
	file := flag.String("file", "", "file with the document")
	route := flag.String("route", "", "path that it is served at")
	flag.Parse()
	body, err := os.ReadFile(*file)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+*route, serve(body))
	failed := make(chan error)
	go func() { failed <- http.ListenAndServe(*httpAddress, mux) }()
	go func() { failed <- http.ListenAndServeTLS(*httpsAddress, *certificate, *key, mux) }()
	log.Fatal(<-failed)
}

func serve(body []byte) http.HandlerFunc {
	etag := fmt.Sprintf(`"%x"`, sha256.Sum256(body))
	length := strconv.Itoa(len(body))
	return func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Access-Control-Allow-Origin", "*")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cache-Control", "public, max-age=300")
		header.Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		header.Set("Content-Type", "application/jwk-set+json")
		header.Set("Content-Length", length)
		_, _ = w.Write(body)
	}
}
