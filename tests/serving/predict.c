/* Runs one signature of a SavedModel on encoded pictures, through TensorFlow's C API alone.
 *
 * predict FOLDER INPUT_OP NUM_PICTURES PICTURE... OUTPUT_OP:INDEX=FILE...
 * writes the bytes of each output to its file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"

static void die(const char* what, const char* why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}

static char* read_file(const char* path, size_t* size) {
  FILE* file = fopen(path, "rb");
  if (!file) die(path, "cannot be read");
  fseek(file, 0, SEEK_END);
  *size = (size_t)ftell(file);
  rewind(file);
  char* bytes = malloc(*size + 1);
  if (fread(bytes, 1, *size, file) != *size) die(path, "is cut off");
  fclose(file);
  return bytes;
}

int main(int argc, char** argv) {
  TF_Status* status = TF_NewStatus();
  TF_Graph* graph = TF_NewGraph();
  TF_SessionOptions* options = TF_NewSessionOptions();
  const char* tags[] = {"serve"};
  if (argc < 5) die(argv[0], "too few arguments");
  TF_Session* session =
      TF_LoadSessionFromSavedModel(options, NULL, argv[1], tags, 1, graph, NULL, status);
  if (TF_GetCode(status) != TF_OK) die("load", TF_Message(status));

  const int64_t count = atoll(argv[3]);
  TF_Tensor* pictures = TF_AllocateTensor(TF_STRING, &count, 1, count * sizeof(TF_TString));
  TF_TString* strings = TF_TensorData(pictures);
  for (int64_t i = 0; i < count; ++i) {
    size_t size;
    char* bytes = read_file(argv[4 + i], &size);
    TF_StringInit(&strings[i]);
    TF_StringCopy(&strings[i], bytes, size);
    free(bytes);
  }

  const int first = 4 + (int)count, num_outputs = argc - first;
  TF_Output input = {TF_GraphOperationByName(graph, argv[2]), 0};
  if (!input.oper) die(argv[2], "no such operation");
  TF_Output* outputs = calloc(num_outputs, sizeof *outputs);
  TF_Tensor** values = calloc(num_outputs, sizeof *values);
  char** files = calloc(num_outputs, sizeof *files);
  for (int i = 0; i < num_outputs; ++i) {
    char* index = strchr(argv[first + i], ':');
    files[i] = strchr(index, '=') + 1;
    *index = '\0';
    outputs[i].oper = TF_GraphOperationByName(graph, argv[first + i]);
    outputs[i].index = atoi(index + 1);
    if (!outputs[i].oper) die(argv[first + i], "no such operation");
  }
  TF_SessionRun(session, NULL, &input, &pictures, 1, outputs, values, num_outputs, NULL, 0, NULL,
                status);
  if (TF_GetCode(status) != TF_OK) die("run", TF_Message(status));
  for (int i = 0; i < num_outputs; ++i) {
    FILE* file = fopen(files[i], "wb");
    if (!file) die(files[i], "cannot be written");
    fwrite(TF_TensorData(values[i]), 1, TF_TensorByteSize(values[i]), file);
    fclose(file);
  }
  return 0;
}
