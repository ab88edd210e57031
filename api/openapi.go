package api

import (
	_ "embed"
	"net/http"

	"github.com/labstack/echo/v4"
)

// openAPI describes the HTTP interface, except the bodies of webhooks, in OpenAPI 3.1.
//
//go:embed openapi.yaml
var openAPI []byte

// getOpenAPI returns the description. Pages of every origin may read it, so that viewers of descriptions can.
func getOpenAPI(c echo.Context) error {
	h := c.Response().Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cache-Control", "no-cache")
	return c.Blob(http.StatusOK, "application/yaml", openAPI) // RFC 9512
}
