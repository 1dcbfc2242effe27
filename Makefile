# ymawky, the book: `make serve` and `make test` are all one needs.
# Works with GNU make 3.81 (macOS) and later.

PORT = 8080
DIR  = docroot

VENV = .venv
RUN  = $(VENV)/bin/python -m

# The first of these that is a Python 3.11 or newer makes the virtual environment.
PYTHONS = $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11
define SETUP
	@for python in $(PYTHONS); do \
	    if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	    then exec "$$python" tools/setup.py $(1); fi; \
	done; \
	echo "setup: needs Python 3.11 or newer and found none;" \
	     "install it (macOS: brew install python@3.12, Debian: apt install python3 python3-venv)" \
	     "or name one: make PYTHON=/path/to/python3 ..." >&2; exit 1
endef

.PHONY: help serve test book lab bench soak lock clean

help:
	@echo "make serve   build the server and serve docroot/ (PORT=9000 DIR=some/dir)"
	@echo "make test    everything that proves it: linters, types, tests, notebooks, book"
	@echo "make lab     open the notebooks in JupyterLab"
	@echo "make book    build the book into book/_build/html"
	@echo "make bench   measure the emulator and the server"
	@echo "make soak    the largest transfers: gigabytes over loopback, some minutes"
	@echo "make clean   remove what was built; .venv too with: make clean VENV_TOO=1"

serve:
	$(call SETUP,serve)
	@$(VENV)/bin/python tools/foreground.py $(RUN) ymawky_kit serve --port "$(PORT)" -- "$(DIR)"

test:
	$(call SETUP,all)
	@$(VENV)/bin/python tools/check.py

book:
	$(call SETUP,all)
	@$(RUN) ymawky_kit book

lab:
	$(call SETUP,all)
	@$(VENV)/bin/python tools/foreground.py $(RUN) jupyterlab notebooks

bench:
	$(call SETUP,all)
	@$(RUN) bench

soak:
	$(call SETUP,all)
	@$(RUN) pytest -q -s -p no:cacheprovider tests/soak

# The lock says which version of everything is used, for every system at once.
lock:
	$(call SETUP,all)
	@$(RUN) pip install --quiet uv
	@$(VENV)/bin/python tools/lock.py

clean:
	rm -rf build dist book/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	    .import_linter_cache $(if $(VENV_TOO),$(VENV) .venv.lock)
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
