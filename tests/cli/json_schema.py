# SPDX-License-Identifier: BSD-2-Clause
"""Hold JSON lines against a schema: as much of JSON Schema 2020-12 as ours uses, and a keyword beyond that is an error.

json_schema.py SCHEMA FILE: the status is 0 if every line is valid and holds no key twice.
"""
import json
import re
import sys

NOTES = {'$schema', '$id', '$comment', '$defs', 'title', 'description'}
TYPES = {'object': dict, 'array': list, 'string': str, 'null': type(None), 'boolean': bool, 'integer': int}


class Schema:
    def __init__(self, root):
        self.root = root

    def find(self, schema):
        while '$ref' in schema:
            path = schema['$ref']
            schema = self.root
            for word in path.lstrip('#/').split('/'):
                schema = schema[word]
        return schema

    def faults(self, schema, value, where='$'):
        """What is wrong with the value: a list of texts."""
        schema = self.find(schema)
        found = []
        for keyword, operand in schema.items():
            if keyword not in NOTES:
                check = getattr(self, 'check_' + keyword, None)
                if check is None:
                    raise ValueError(f'{where}: no such keyword here: {keyword}')
                found += check(operand, value, where, schema)
        return found

    def check_type(self, name, value, where, _):
        good = isinstance(value, TYPES[name]) and (name == 'boolean') == isinstance(value, bool)
        return [] if good else [f'{where}: {value!r} is no {name}']

    def check_const(self, wanted, value, where, _):
        return [] if value == wanted and type(value) is type(wanted) else [f'{where}: {value!r} is not {wanted!r}']

    def check_enum(self, wanted, value, where, _):
        return [] if value in wanted else [f'{where}: {value!r} is none of {wanted}']

    def check_pattern(self, pattern, value, where, _):
        return [] if not isinstance(value, str) or re.search(pattern, value) else [f'{where}: {value!r} is not {pattern}']

    def check_minLength(self, least, value, where, _):
        return [] if not isinstance(value, str) or len(value) >= least else [f'{where}: {value!r} is too short']

    def check_minimum(self, least, value, where, _):
        return [] if not isinstance(value, int) or value >= least else [f'{where}: {value} is less than {least}']

    def check_maximum(self, most, value, where, _):
        return [] if not isinstance(value, int) or value <= most else [f'{where}: {value} is more than {most}']

    def check_items(self, schema, value, where, _):
        if not isinstance(value, list):
            return []
        return [fault for i, item in enumerate(value) for fault in self.faults(schema, item, f'{where}[{i}]')]

    def check_required(self, names, value, where, _):
        return [f'{where}: no {name}' for name in names if isinstance(value, dict) and name not in value]

    def check_properties(self, properties, value, where, _):
        if not isinstance(value, dict):
            return []
        return [fault for name, schema in properties.items() if name in value
                for fault in self.faults(schema, value[name], f'{where}.{name}')]

    def check_additionalProperties(self, schema, value, where, parent):
        if not isinstance(value, dict):
            return []
        others = [name for name in value if name not in parent.get('properties', {})]
        if schema is False:
            return [f'{where}: {name} has no place here' for name in others]
        return [fault for name in others for fault in self.faults(schema, value[name], f'{where}.{name}')]

    def alternatives(self, schemas, value, where):
        return [self.faults(schema, value, where) for schema in schemas]

    def check_anyOf(self, schemas, value, where, _):
        all_faults = self.alternatives(schemas, value, where)
        return [] if [] in all_faults else [f'{where}: none of the alternatives: {min(all_faults, key=len)}']

    def check_oneOf(self, schemas, value, where, _):
        all_faults = self.alternatives(schemas, value, where)
        good = all_faults.count([])
        return [] if good == 1 else [f'{where}: {good} alternatives hold: {min(all_faults, key=len)}']


def without_doubles(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(f'a key stands twice among {[key for key, _ in pairs]}')
    return found


def main():
    with open(sys.argv[1], encoding='utf-8') as file:
        schema = Schema(json.load(file))
    bad = lines = 0
    with open(sys.argv[2], encoding='utf-8', errors='strict', newline='\n') as file:
        for lines, line in enumerate(file, 1):
            try:
                faults = schema.faults(schema.root, json.loads(line, object_pairs_hook=without_doubles))
            except (ValueError, RecursionError) as error:
                faults = [str(error)]
            if faults and bad < 20:
                print(f'line {lines}: {faults[0]}\n    {line.rstrip()[:600]}')
            bad += bool(faults)
    print(f'{lines} lines, {bad} bad')
    return 1 if bad or not lines else 0


if __name__ == '__main__':
    sys.exit(main())
