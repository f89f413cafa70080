// Renders a chart as `helm template` does, where there is no Helm: Go's own text/template with sprig, and the few
// functions that Helm adds. Knows what this chart uses and no more: no dependencies, no hooks, no lookup.
//
//	render CHART RELEASE NAMESPACE OUT NAME=VALUES.yaml …
//
// writes OUT/NAME.yaml for each set of values, and OUT/NAME.error where the chart refuses it. Builds with the
// packages golang-go and golang-github-masterminds-sprig-dev of Debian: GO111MODULE=off GOPATH=/usr/share/gocode.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	yaml "gopkg.in/yaml.v3"
)

type object = map[string]interface{}

// files is what templates know as .Files.
type files map[string][]byte

func (f files) Get(name string) string { return string(f[name]) }

func (f files) Glob(pattern string) files {
	found := files{}
	for name, content := range f {
		if ok, _ := path.Match(pattern, name); ok {
			found[name] = content
		}
	}
	return found
}

func main() {
	if len(os.Args) < 6 {
		exit(errors.New("usage: render CHART RELEASE NAMESPACE OUT NAME=VALUES.yaml …"))
	}
	chart, release, namespace, out := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	meta, err := readYaml(filepath.Join(chart, "Chart.yaml"))
	exit(err)
	found, err := readFiles(chart)
	exit(err)
	for _, set := range os.Args[5:] {
		name, file, _ := strings.Cut(set, "=")
		values, err := readYaml(filepath.Join(chart, "values.yaml"))
		exit(err)
		given, err := readYaml(file)
		exit(err)
		context := object{
			"Values":       merge(values, given),
			"Release":      object{"Name": release, "Namespace": namespace, "Service": "Helm", "IsInstall": true, "Revision": 1},
			"Chart":        upper(meta),
			"Files":        found,
			"Capabilities": object{"KubeVersion": object{"Version": "v1.30.0", "Major": "1", "Minor": "30"}},
		}
		text, err := render(found, context)
		if err != nil {
			exit(os.WriteFile(filepath.Join(out, name+".error"), []byte(err.Error()), 0o644))
			continue
		}
		exit(os.WriteFile(filepath.Join(out, name+".yaml"), []byte(text), 0o644))
	}
}

// render gives all manifests as one stream, in the order of the names of their templates, and the notes as a comment.
func render(found files, context object) (string, error) {
	all := template.New("chart").Option("missingkey=zero")
	all.Funcs(functions(all))
	var names []string
	for name, content := range found {
		if !strings.HasPrefix(name, "templates/") {
			continue
		}
		if _, err := all.New(name).Parse(string(content)); err != nil {
			return "", err
		}
		if !strings.HasPrefix(path.Base(name), "_") {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	var out strings.Builder
	for _, name := range names {
		var text bytes.Buffer
		if err := all.ExecuteTemplate(&text, name, context); err != nil {
			return "", err
		}
		// As Helm does it: a value that is missing is nothing.
		rendered := strings.ReplaceAll(text.String(), "<no value>", "")
		if strings.HasSuffix(name, ".txt") {
			rendered = "# " + strings.ReplaceAll(strings.TrimSpace(rendered), "\n", "\n# ") + "\n"
		}
		fmt.Fprintf(&out, "---\n# Source: %s\n%s\n", name, rendered)
	}
	return out.String(), nil
}

func functions(all *template.Template) template.FuncMap {
	known := sprig.TxtFuncMap()
	// Not of Helm either: a chart must not depend on where it is rendered.
	delete(known, "env")
	delete(known, "expandenv")
	known["include"] = func(name string, data interface{}) (string, error) {
		var text bytes.Buffer
		err := all.ExecuteTemplate(&text, name, data)
		return text.String(), err
	}
	known["toYaml"] = func(value interface{}) (string, error) {
		var text bytes.Buffer
		encoder := yaml.NewEncoder(&text)
		encoder.SetIndent(2)
		err := encoder.Encode(whole(value))
		return strings.TrimSuffix(text.String(), "\n"), err
	}
	known["fromYaml"] = func(text string) (object, error) {
		value := object{}
		err := parseYaml([]byte(text), &value)
		return value, err
	}
	known["fromYamlArray"] = func(text string) ([]interface{}, error) {
		var value []interface{}
		err := parseYaml([]byte(text), &value)
		return value, err
	}
	known["required"] = func(message string, value interface{}) (interface{}, error) {
		if value == nil || value == "" {
			return nil, errors.New(message)
		}
		return value, nil
	}
	return known
}

// whole writes numbers without a fraction as integers, as Helm does, which writes YAML by way of JSON.
func whole(value interface{}) interface{} {
	switch typed := value.(type) {
	case float64:
		if typed == math.Trunc(typed) && math.Abs(typed) < 1e15 {
			return int64(typed)
		}
	case object:
		out := object{}
		for key, inner := range typed {
			out[key] = whole(inner)
		}
		return out
	case []interface{}:
		out := make([]interface{}, len(typed))
		for i, inner := range typed {
			out[i] = whole(inner)
		}
		return out
	}
	return value
}

// parseYaml has numbers as Helm has them, which reads YAML as JSON: all are floating.
func parseYaml(text []byte, into interface{}) error {
	var plain interface{}
	if err := yaml.Unmarshal(text, &plain); err != nil {
		return err
	}
	if plain == nil {
		return nil
	}
	encoded, err := json.Marshal(plain)
	if err != nil {
		return err
	}
	return json.Unmarshal(encoded, into)
}

func readYaml(file string) (object, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	value := object{}
	return value, parseYaml(text, &value)
}

func readFiles(chart string) (files, error) {
	found := files{}
	err := filepath.Walk(chart, func(file string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		name, err := filepath.Rel(chart, file)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(file)
		found[filepath.ToSlash(name)] = content
		return err
	})
	return found, err
}

// merge puts what is given over the defaults; null takes a default away.
func merge(defaults, given object) object {
	for key, value := range given {
		old, oldIsMap := defaults[key].(object)
		mapped, isMap := value.(object)
		switch {
		case value == nil:
			delete(defaults, key)
		case oldIsMap && isMap:
			defaults[key] = merge(old, mapped)
		default:
			defaults[key] = value
		}
	}
	return defaults
}

// upper: templates name the fields of Chart.yaml with a capital.
func upper(meta object) object {
	out := object{}
	for key, value := range meta {
		out[strings.ToUpper(key[:1])+key[1:]] = value
	}
	return out
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
